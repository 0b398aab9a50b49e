//! What a request wants to do, after its HTTP method has been read (contract 1.2).

/// One logical operation. `Create` and `Update` are one HTTP method; the endpoint's existence check tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// POST or PUT where the endpoint's existence check found nothing.
    Create,
    /// POST or PUT otherwise.
    Update,
    /// GET.
    Read,
    /// LIST, or GET with `list=true`.
    List,
    /// DELETE.
    Delete,
    /// PATCH.
    Patch,
    /// HEAD outside the special handlers: no capability grants it, no endpoint serves it.
    Head,
    /// HELP, or any method with `?help=`.
    Help,
}

impl Operation {
    /// True for `Create` and `Update`: what a write endpoint serves.
    pub fn is_write(self) -> bool {
        matches!(self, Operation::Create | Operation::Update)
    }

    /// The word audit lines and OpenAPI use.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Read => "read",
            Operation::List => "list",
            Operation::Delete => "delete",
            Operation::Patch => "patch",
            Operation::Head => "header",
            Operation::Help => "help",
        }
    }
}
