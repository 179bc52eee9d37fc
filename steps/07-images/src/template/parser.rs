//! From words to a tree: what `if`, `with`, `range` and their `end` enclose.

use super::Fault;
use super::lexer::{Kind, Word};
use super::pipeline::name_of;
use super::tree::Node;

/// Deeper nesting is a mistake or an attack on the stack.
const DEEPEST: usize = 100;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// The `end` or `else` that a list of nodes stopped at, with its place; nothing at the end of the template.
type Stopped = Option<(usize, &'static str)>;

/// Reads a whole template.
pub(super) fn tree(source: &str, words: Vec<Word>) -> Result<Vec<Node>> {
    let mut parser =
        Parser { words, position: 0, end: source.len(), variables: vec!["$".to_owned()], depth: 0, loops: 0 };
    match parser.nodes()? {
        (nodes, None) => Ok(nodes),
        (_, Some((at, keyword))) => Err(Fault::new(at, format_args!("unexpected {{{{{keyword}}}}}"))),
    }
}

pub(super) struct Parser {
    pub words: Vec<Word>,
    /// Of the next word
    pub position: usize,
    pub end: usize,
    /// Those that can be named here.
    pub variables: Vec<String>,
    pub depth: usize,
    loops: usize,
}

impl Parser {
    /// Reads up to an `{{end}}` or `{{else}}`, or to the end of the template.
    fn nodes(&mut self) -> Result<(Vec<Node>, Stopped)> {
        let mut nodes = Vec::new();
        while let Some(word) = self.next() {
            if let Kind::Text(text) = word.kind {
                nodes.push(Node::Text(text));
                continue;
            }
            let keyword = match self.peek().map(|word| &word.kind) {
                Some(Kind::Name(name)) => name.clone(),
                _ => String::new(),
            };
            let known = ["if", "with", "range", "end", "else", "break", "continue"];
            let Some(keyword) = known.into_iter().find(|known| *known == keyword) else {
                let pipeline = self.pipeline("command")?;
                self.close("command")?;
                nodes.push(Node::Print(pipeline));
                continue;
            };
            self.next();
            match keyword {
                "end" => {
                    self.close("end")?;
                    return Ok((nodes, Some((word.start, keyword))));
                }
                "else" => return Ok((nodes, Some((word.start, keyword)))),
                "break" | "continue" if self.loops == 0 => {
                    return Err(Fault::new(
                        word.start,
                        format_args!("{{{{{keyword}}}}} outside {{{{range}}}}"),
                    ));
                }
                "break" | "continue" => {
                    self.close(keyword)?;
                    nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                }
                _ => nodes.push(self.control(keyword, word.start)?),
            }
        }
        Ok((nodes, None))
    }

    /// `if`, `with` or `range`, up to its `end`.
    fn control(&mut self, keyword: &'static str, at: usize) -> Result<Node> {
        self.enter(at)?;
        let outside = self.variables.len();
        let test = self.pipeline(keyword)?;
        self.close(keyword)?;
        self.loops += usize::from(keyword == "range");
        let (then, stopped) = self.nodes()?;
        self.loops -= usize::from(keyword == "range");
        let otherwise = match stopped {
            Some((_, "else")) => self.otherwise(keyword, at)?,
            Some(_) => Vec::new(),
            None => return Err(self.too_short()),
        };
        self.variables.truncate(outside);
        self.depth -= 1;
        Ok(match keyword {
            "range" => Node::Range { over: test, body: then, otherwise },
            _ => Node::If { with: keyword == "with", test, then, otherwise },
        })
    }

    /// Behind `{{else`: a list of its own, or one more `if`, which shares the `end`.
    fn otherwise(&mut self, of: &'static str, at: usize) -> Result<Vec<Node>> {
        let next = self.peek().map(|word| &word.kind);
        if let Some(Kind::Name(name)) = next
            && name == of
            && of != "range"
        {
            self.next();
            return Ok(vec![self.control(of, at)?]);
        }
        self.close("else")?;
        match self.nodes()? {
            (nodes, Some((_, "end"))) => Ok(nodes),
            (_, Some((at, _))) => Err(Fault::new(at, "expected end; found {{else}}")),
            (_, None) => Err(self.too_short()),
        }
    }

    pub(super) fn peek(&self) -> Option<&Word> {
        self.words.get(self.position)
    }

    pub(super) fn next(&mut self) -> Option<Word> {
        self.position += 1;
        self.words.get(self.position - 1).cloned()
    }

    pub(super) fn sign(&mut self, sign: char) -> bool {
        let is_next = self.peek().is_some_and(|word| word.kind == Kind::Sign(sign));
        self.position += usize::from(is_next);
        is_next
    }

    fn close(&mut self, context: &str) -> Result<()> {
        match self.next() {
            Some(word) if word.kind == Kind::Close => Ok(()),
            Some(word) if word.kind == Kind::Sign(')') => {
                Err(Fault::new(word.start, "unexpected right paren"))
            }
            Some(word) => {
                Err(Fault::new(word.start, format_args!("unexpected {} in {context}", name_of(&word.kind))))
            }
            None => Err(self.too_short()),
        }
    }

    pub(super) fn enter(&mut self, at: usize) -> Result<()> {
        self.depth += 1;
        match self.depth <= DEEPEST {
            true => Ok(()),
            false => Err(Fault::new(at, "nested too deeply")),
        }
    }

    pub(super) fn too_short(&self) -> Fault {
        Fault::new(self.end, "unexpected EOF")
    }
}
