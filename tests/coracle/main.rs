//! `coracle` from end to end, as users start it, judged from outside: real images of a real registry, run as root, as
//! an ordinary user and as root of a user namespace with one id.

mod kit;

// From an image to its end.
mod answered;
mod archives;
mod attach;
mod callers;
mod callers_files;
mod completion;
mod container;
mod cp;
mod damaged;
mod debian;
mod detached;
mod diff;
mod elsewhere;
mod exec;
mod exit_codes;
mod full_disk;
mod host_tools;
mod image_commands;
mod images;
mod inspect;
mod inspect_fields;
mod killed;
mod killed_detached;
mod killed_others;
mod life;
mod limits;
mod logs;
mod many;
mod names;
mod options;
mod options_dockers;
mod oracle;
mod platform;
mod prune;
mod ps;
mod pull;
mod pulling;
mod references;
mod rename;
mod restart;
mod scripts;
mod settings;
mod stress;
mod switches;
mod together;
mod top;
mod usage;
mod users;
// What is connected with the container.
mod files;
mod input;
mod network;
mod options_network;
mod options_sharing;
mod port;
mod signals;
mod terminal;
mod volumes;
mod volumes_left;
mod volumes_named;
// What keeps it apart.
mod hard_times;
mod hostile_paths;
mod hostile_settings;
mod isolation;
mod observe;
mod own_program;
