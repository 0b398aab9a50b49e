//! Username templates: what is taken renders within bounds, the same for the same names, time and randomness, and says
//! only what it was given.

use leasehold_broker::template::{
    Names, RENDERED_BYTES_MAX, TEMPLATE_BYTES_MAX, Template, TemplateError,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use time::OffsetDateTime;

const MARK: &str = "Qx7Zk9";

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(TemplateError::Parse(message) | TemplateError::Apply(message)) => {
            assert!(
                message.len() <= 4 * TEMPLATE_BYTES_MAX + 256,
                "{}",
                message.len()
            );
            return;
        }
    };
    assert!(text.len() <= TEMPLATE_BYTES_MAX);
    let render = |display_name, role_name| {
        let names = Names {
            display_name,
            role_name,
        };
        let mut rng = StdRng::seed_from_u64(7);
        template.render(&names, OffsetDateTime::UNIX_EPOCH, &mut rng)
    };
    let long = "\u{e9}".repeat(5_000);
    for (display_name, role_name) in [
        ("", ""),
        ("token-app", "read-only"),
        ("\u{1F600}", "a.b/c"),
        (&long, &long),
    ] {
        let once = render(display_name, role_name);
        assert_eq!(once, render(display_name, role_name), "not the same twice");
        if let Ok(name) = &once {
            assert!(name.len() <= RENDERED_BYTES_MAX, "{} bytes", name.len());
        }
    }
    // A template that names neither gives the same whatever they are.
    if !text.contains("Name") && !text.is_empty() {
        assert_eq!(render("", ""), render(MARK, MARK));
    }
}
