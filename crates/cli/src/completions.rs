//! `pieces-cli completions`: the script that a shell completes the command line with. What it knows of
//! commands comes from [`crate::args`].

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::args::{Cli, Completions};
use crate::exit::Failure;
use crate::output;

/// What the script completes.
const PROGRAM: &str = "pieces-cli";

/// Bash lists options for an argument that does not begin with a dash, and then no files. This leaves
/// them out, so that bash goes on to complete a file.
const BASH_ARGUMENTS: &str = r#"
_pieces_cli_arguments() {
    _pieces__cli "$@"
    if [[ "$2" != -* ]]; then
        local word words=()
        for word in "${COMPREPLY[@]}"; do
            [[ "$word" == -* ]] || words+=("$word")
        done
        COMPREPLY=("${words[@]}")
    fi
}
"#;

/// The first argument of `magnet`, as the generator has it for zsh: a file, and a command in second place.
const ZSH_MAGNET: (&str, &str) = ("':torrents -- ", "\":: :_pieces-cli__subcmd__magnet_commands\"");

/// The first argument of `magnet`, as it is: a file or a command.
const ZSH_FILE_OR_COMMAND: &str =
    "': :{ _alternative commands::_pieces-cli__subcmd__magnet_commands files::_files }'";

/// Runs the command.
pub(crate) fn run(args: &Completions) -> Result<(), Failure> {
    let script = script(args.shell);
    output::text(|out| out.write_all(script.as_bytes()))
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut listed(&Cli::command()), PROGRAM, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => for_bash(&script),
        Shell::Zsh => for_zsh(&script),
        Shell::Fish => script + &fish_shells(),
        _ => script,
    }
}

/// The command line without the commands that help does not list: the generator knows of no hidden ones.
fn listed(all: &Command) -> Command {
    Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
}

/// The generator writes a program's hyphen in two ways, so that no command is ever found.
fn for_bash(script: &str) -> String {
    let script = script.replace("pieces__subcmd__cli", "pieces__cli");
    let (functions, register) = script.split_once("\nif [[").unwrap_or((&script, ""));
    let register = register.replace("-F _pieces__cli", "-F _pieces_cli_arguments");
    format!("{functions}{BASH_ARGUMENTS}\nif [[{register}")
}

/// The generator takes the command of `magnet` for a second argument after a file.
fn for_zsh(script: &str) -> String {
    let (torrent, command) = ZSH_MAGNET;
    let Some((before, after)) = script.split_once(command) else { return script.to_owned() };
    let before = before.trim_end_matches([' ', '\n', '\\']);
    let (before, last) = before.rsplit_once('\n').unwrap_or((before, ""));
    if !last.starts_with(torrent) {
        return script.to_owned();
    }
    // No other command has a first argument that is two things.
    let after = after.replace("$line[2]", "$line[1]");
    format!("{before}\n{ZSH_FILE_OR_COMMAND}{after}")
}

/// The generator has no values of arguments for fish, and this command's argument has some.
fn fish_shells() -> String {
    let shells: Vec<String> = Shell::value_variants().iter().map(ToString::to_string).collect();
    let using = "__fish_pieces_cli_using_subcommand completions";
    format!("complete -c {PROGRAM} -n \"{using}\" -f -a \"{}\"\n", shells.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_for_bash_has_the_shape_that_it_is_changed_by() {
        let script = script(Shell::Bash);
        assert!(!script.contains("pieces__subcmd__cli"));
        assert_eq!(script.matches("\n        pieces__cli__subcmd__download)").count(), 1);
        assert_eq!(script.matches("complete -F _pieces_cli_arguments").count(), 2);
    }

    #[test]
    fn the_script_for_zsh_has_the_shape_that_it_is_changed_by() {
        let script = script(Shell::Zsh);
        assert_eq!(script.matches(ZSH_FILE_OR_COMMAND).count(), 1);
        assert!(!script.contains("$line[2]"));
    }
}
