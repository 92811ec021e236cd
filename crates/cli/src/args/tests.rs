//! What holds for every command and option, whichever are added.

use clap::CommandFactory;

use super::*;

/// Every command and every command of a command.
fn all(command: &clap::Command, visit: &mut dyn FnMut(&clap::Command)) {
    visit(command);
    command.get_subcommands().for_each(|command| all(command, visit));
}

fn words(arg: &clap::Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    help.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_description_of_the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_option_with_a_value_tells_its_default() {
    let mut untold = Vec::new();
    all(&Cli::command(), &mut |command| {
        for arg in command.get_opts().filter(|arg| arg.get_action().takes_values()) {
            let told = !arg.get_default_values().is_empty() || words(arg).contains("[default: ");
            if !told && !arg.is_required_set() {
                untold.push(format!("{} {arg}", command.get_name()));
            }
        }
    });
    assert_eq!(untold, Vec::<String>::new());
    let peers = session::Config::default().max_peers;
    let bootstrap = session::DhtConfig::default().bootstrap.join(", ");
    let mut told = String::new();
    all(&Cli::command(), &mut |command| command.get_opts().for_each(|arg| told += &words(arg)));
    assert!(told.contains(&format!("[default: {peers}]")), "{told}");
    assert!(told.contains(&format!("[default: {bootstrap}]")), "{told}");
}

#[test]
fn commands_with_many_options_group_them() {
    all(&Cli::command(), &mut |command| {
        let own = command.get_arguments().filter(|arg| !arg.is_positional());
        let (grouped, loose): (Vec<_>, Vec<_>) =
            own.partition(|arg| arg.get_help_heading().is_some());
        if grouped.len() > 4 {
            let loose: Vec<_> = loose.iter().map(|arg| arg.get_id().as_str()).collect();
            let known = ["output", "force", "help", "version"];
            assert!(loose.iter().all(|name| known.contains(name)), "{loose:?}");
        }
    });
}
