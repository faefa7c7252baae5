//! Attributes of functions.

use proc_macro::TokenStream;
use quote::quote;
use syn::{FnArg, ItemFn, ReturnType, Type, parse_macro_input, parse_quote};

/// Makes an async function one that returns its future in a box. Below salvo's attribute of a handler.
///
/// That a handler's future may be sent to another thread is proved in the trait's method, whose bounds on lifetimes
/// keep the compiler from using what it has proved before: without the box it walks through the types of all that a
/// handler takes and calls, for each handler anew, which takes seconds. In the function itself a proof is used again.
///
/// References among the arguments get one lifetime, and must have none of their own.
#[proc_macro_attribute]
pub fn boxed(_: TokenStream, function: TokenStream) -> TokenStream {
    let mut function = parse_macro_input!(function as ItemFn);
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => quote!(#output),
    };
    for argument in &mut function.sig.inputs {
        if let FnArg::Typed(argument) = argument
            && let Type::Reference(reference) = &mut *argument.ty
        {
            reference.lifetime = Some(parse_quote!('boxed));
        }
    }
    function.sig.generics.params.push(parse_quote!('boxed));
    function.sig.asyncness = None;
    function.sig.output = parse_quote!(
        -> ::std::pin::Pin<
            ::std::boxed::Box<dyn ::std::future::Future<Output = #output> + ::std::marker::Send + 'boxed>,
        >
    );
    let body = &function.block;
    function.block = parse_quote!({ ::std::boxed::Box::pin(async move #body) });
    quote!(#function).into()
}
