//! Makes a type an argument of handlers.

/// Implements salvo's extractor for a type with `from_request` and `describe`.
macro_rules! handler_argument {
    ($argument:ident<$input:ident: $bound:ident>) => {
        impl<'ex, $input: $bound + 'static> salvo::extract::Extractible<'ex> for $argument<$input> {
            fn metadata() -> &'static salvo::extract::Metadata {
                static METADATA: salvo::extract::Metadata = salvo::extract::Metadata::new("");
                &METADATA
            }

            // Boxed for the same reason as handlers are.
            #[expect(refining_impl_trait, reason = "the error is this service's own")]
            fn extract(
                request: &'ex mut salvo::Request,
                depot: &'ex mut salvo::Depot,
            ) -> futures_util::future::BoxFuture<'ex, Result<Self, $crate::respond::ApiError>> {
                Box::pin(Self::from_request(request, depot))
            }
        }

        impl<$input: $bound> salvo::oapi::EndpointArgRegister for $argument<$input> {
            fn register(
                components: &mut salvo::oapi::Components,
                operation: &mut salvo::oapi::Operation,
                _: &str,
            ) {
                Self::describe(components, operation);
            }
        }
    };
}
pub(crate) use handler_argument;
