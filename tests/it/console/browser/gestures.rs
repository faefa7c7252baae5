//! What a person does beside clicking and typing, and what they notice.

use std::path::Path;

use serde_json::json;

use super::{Browser, FIELD};

impl Browser {
    /// Goes back in the browser's history.
    pub(in crate::console) fn back(&self) {
        self.script("history.back()");
    }

    /// Chooses the option with these words in the list with this label.
    pub(in crate::console) fn choose(&self, label: &str, option: &str) {
        let find = format!(
            "(given) => {{ const [label, words] = given.split('\\n'); \
                 const field = ({FIELD})(label); \
                 return field && [...field.options].find((it) => it.textContent.trim() === words); }}"
        );
        self.act(
            &find,
            &format!("{label}\n{option}"),
            &[("click", json!({}))],
        );
    }

    /// Opens the first part that this selector finds.
    pub(in crate::console) fn open_first(&self, selector: &str) {
        self.act(
            "(selector) => document.querySelector(selector)",
            selector,
            &[("click", json!({}))],
        );
    }

    /// Saves what pages hand out in this folder.
    pub(in crate::console) fn download_to(&self, folder: &Path) {
        let given = json!({"behavior": "allow", "downloadPath": folder});
        self.devtools("Page.setDownloadBehavior", &given);
    }

    /// Drops files on the place for them.
    pub(in crate::console) fn drop_files(&self, files: &[(&str, &str)]) {
        self.see("Choose files");
        let script = format!(
            "const dataTransfer = new DataTransfer(); \
             for (const [name, text] of {}) dataTransfer.items.add(new File([text], name)); \
             document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {{dataTransfer, bubbles: true, cancelable: true}}));",
            json!(files)
        );
        self.script(&script);
    }

    /// Presses the Escape key.
    pub(in crate::console) fn press_escape(&self) {
        let keys = json!([{"type": "keyDown", "value": "\u{e00c}"}, {"type": "keyUp", "value": "\u{e00c}"}]);
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]});
        self.send("POST", "/actions", &actions);
    }

    /// Puts in what keys cannot type, such as characters beyond the basic plane.
    pub(in crate::console) fn paste(&self, label: &str, text: &str) {
        let script = format!(
            "const field = document.getElementById([...document.querySelectorAll('dialog label')] \
                 .find((it) => it.textContent.startsWith({})).htmlFor); field.value = {}; \
             field.dispatchEvent(new Event('input', {{bubbles: true}}));",
            json!(label),
            json!(text)
        );
        self.wait(FIELD, label);
        self.script(&script);
    }

    /// Waits until a live region that is not shut off says this.
    pub(in crate::console) fn hear(&self, words: &str) {
        self.wait(
            "(words) => { const open = top(); return [...open.querySelectorAll('[role=status], [role=alert]')] \
                 .some((it) => (open === document || it.closest('dialog') === open) && it.textContent.includes(words)); }",
            words,
        );
    }

    /// Waits until the focus is on the button, link or heading with these words.
    pub(in crate::console) fn focused(&self, words: &str) {
        self.wait(
            "(words) => (document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent.trim()) === words",
            words,
        );
    }

    /// Waits until there is something that this selector finds.
    pub(in crate::console) fn wait_for(&self, selector: &str) {
        self.wait("(selector) => document.querySelector(selector)", selector);
    }

    /// Scrolls down until a list has nothing more to load.
    pub(in crate::console) fn read_to_the_end(&self, item: &str) {
        const MORE: &str = "const more = [...document.querySelectorAll('main button')] \
            .find((it) => ['Show more', 'Loading…'].includes(it.textContent.trim())); \
            const isEnd = !more || more.hidden";
        let count = format!("return document.querySelectorAll('{item}').length");
        let is_end = format!("{MORE}; return isEnd");
        let more = format!(
            "(count) => {{ {MORE}; \
             if (isEnd || document.querySelectorAll('{item}').length > Number(count)) return true; \
             more.scrollIntoView(); requestAnimationFrame(look); return null; }}"
        );
        while self.script(&is_end) == false {
            self.wait(&more, &self.script(&count).to_string());
        }
    }

    /// Waits until something that this selector finds is in sight.
    pub(in crate::console) fn in_sight(&self, selector: &str) {
        self.wait(
            "(selector) => { const { top = -1 } = document.querySelector(selector)?.getBoundingClientRect() ?? {}; \
                 if (top < 0 || top > innerHeight) { requestAnimationFrame(look); return null; } return true; }",
            selector,
        );
    }
}
