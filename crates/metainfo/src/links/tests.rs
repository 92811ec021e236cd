//! Where links of a torrent lead, and which of them are left out.

use proptest::prelude::*;

use super::*;

/// A torrent in the folder `t`: files, and links with their targets.
fn torrent(files: &[&str], links: &[(&str, &str)]) -> Vec<File> {
    let file = |path: &str, kind, target| File {
        path: format!("t/{path}").into_bytes(),
        renamed_from: None,
        length: 0,
        kind,
        executable: false,
        target,
    };
    let target = |to: &str| raw_target(to.split('/').map(str::as_bytes));
    let files = files.iter().map(|path| file(path, FileKind::Regular, None));
    let links = links.iter().map(|(path, to)| file(path, FileKind::Symlink, target(to)));
    files.chain(links).collect()
}

/// What each link leads to after all, without the folder `t`; and what is told.
fn settled(files: &[&str], links: &[(&str, &str)]) -> (Vec<Option<String>>, Vec<String>) {
    let mut all = torrent(files, links);
    let mut warnings = Warnings::default();
    settle(&mut all, b"t", &mut warnings);
    let target = |file: &File| {
        let target = String::from_utf8(file.target.clone()?).unwrap();
        Some(target.strip_prefix("t/").expect("below the folder").to_owned())
    };
    (all[files.len()..].iter().map(target).collect(), warnings.finish())
}

fn one(files: &[&str], link: &str, to: &str) -> Option<String> {
    settled(files, &[(link, to)]).0.remove(0)
}

#[test]
fn links_lead_to_files_and_folders_of_the_torrent() {
    let files = ["a", "sub/c", "sub/deep/d"];
    assert_eq!(one(&files, "l", "a").as_deref(), Some("a"));
    assert_eq!(one(&files, "sub/deep/l", "a").as_deref(), Some("a"));
    assert_eq!(one(&files, "l", "sub").as_deref(), Some("sub"));
    assert_eq!(one(&files, "x/y/l", "sub/deep/d").as_deref(), Some("sub/deep/d"));
    // Counted from the link's folder, as some programs have it.
    assert_eq!(one(&files, "sub/l", "c").as_deref(), Some("sub/c"));
    assert_eq!(one(&files, "sub/l", "../a").as_deref(), Some("a"));
    assert_eq!(one(&files, "sub/deep/l", "./.././c").as_deref(), Some("sub/c"));
}

#[test]
fn links_to_anything_else_are_left_out_and_told() {
    let files = ["a", "sub/c"];
    for to in [
        "nothing",
        "sub/nothing",
        "a/b",
        "../a",
        "../../etc",
        "sub/../../t/a",
        "/etc",
        "",
        ".",
        "sub/..",
        "t/a",
        "l",
    ] {
        assert_eq!(one(&files, "l", to), None, "{to}");
    }
    let (_, told) = settled(&files, &[("sub/l", "../../etc/passwd")]);
    assert_eq!(
        told,
        [r#"left out: the link "t/sub/l" to "../../etc/passwd" leads to nothing in the torrent"#]
    );
    assert!(settled(&files, &[("l", "a")]).1.is_empty());
}

#[test]
fn links_lead_on_through_links_and_never_in_a_circle() {
    let files = ["F/Versions/A/F", "F/Versions/A/R/x"];
    let links = [
        ("F/F", "F/Versions/Current/F"),
        ("F/Versions/Current", "F/Versions/A"),
        ("F/R", "F/Versions/Current/R"),
        ("x", "F/R/x"),
        ("one", "two"),
        ("two", "three/x"),
        ("three", "one"),
        ("onto circle", "three"),
    ];
    let (targets, told) = settled(&files, &links);
    let targets: Vec<_> = targets.iter().map(Option::as_deref).collect();
    let ends = ["F/Versions/Current/F", "F/Versions/A", "F/Versions/Current/R", "F/R/x"].map(Some);
    assert_eq!(targets[..4], ends);
    assert_eq!(targets[4..], [None; 4]);
    assert_eq!(told.len(), 4);
}

#[test]
fn a_link_never_takes_the_place_of_something_else() {
    // A file, a folder, another link, below a file, below a link.
    let links =
        [("a", "sub/c"), ("sub", "a"), ("l", "a"), ("l", "sub"), ("a/x", "a"), ("l/x", "a")];
    let (targets, told) = settled(&["a", "sub/c"], &links);
    assert_eq!(targets, [None, None, Some("a".into()), None, None, None]);
    assert_eq!(told.len(), 5);
}

#[test]
fn chains_and_targets_have_a_limit() {
    let links: Vec<(String, String)> =
        (0..60).map(|n| (format!("l{n}"), format!("l{}", n + 1))).collect();
    let mut links: Vec<(&str, &str)> =
        links.iter().map(|(link, to)| (link.as_str(), to.as_str())).collect();
    links.push(("l60", "a"));
    let (targets, _) = settled(&["a"], &links);
    assert!(targets[0].is_none(), "60 links in a row");
    assert!(targets[59].is_some());
    let long = vec!["."; 200].join("/") + "/a";
    assert_eq!(one(&["a"], "l", &long), None);
}

#[test]
fn links_among_deep_folders_are_settled_in_linear_time() {
    // Looking at each folder of each path by its whole path took minutes.
    let deep = "a/".repeat(1_000_000);
    let files = [format!("{deep}f"), format!("{deep}g")];
    let files = files.each_ref().map(String::as_str);
    let (inside, below_link) = (format!("{deep}l"), format!("l/{deep}l"));
    let links = [("l", "a/a"), (&*inside, "a"), (&*below_link, "a")];
    let (targets, _) = settled(&files, &links);
    assert_eq!(targets, [Some("a/a".into()), Some("a".into()), None]);
}

#[test]
fn following_links_has_an_end() {
    let folder = "x".repeat(250) + "/";
    let file = folder.repeat(15) + "f";
    let steps = format!("{file}/") + &"../f/".repeat(40) + ".";
    let links: Vec<String> = (0..3_000).map(|n| format!("l{n}")).collect();
    let links: Vec<(&str, &str)> = links.iter().map(|link| (link.as_str(), &*steps)).collect();
    let (targets, told) = settled(&[&file], &links);
    assert_eq!(targets.first(), Some(&Some(file)));
    assert_eq!(targets.last(), Some(&None));
    assert_eq!(told[0], "left out: links that take too long to follow");
}

proptest! {
    #[test]
    fn whatever_a_torrent_says_its_links_lead_to_what_it_holds(
        files in prop::collection::vec("[ab](/[ab]){0,2}", 1..6),
        links in prop::collection::vec(("[abl](/[abl]){0,2}", "([abl.]|\\.\\.)(/([abl.]|\\.\\.)){0,3}"), 0..8),
    ) {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let links: Vec<(&str, &str)> = links.iter().map(|(l, t)| (l.as_str(), t.as_str())).collect();
        let (targets, told) = settled(&files, &links);
        prop_assert_eq!(targets.iter().filter(|target| target.is_none()).count(), told.len());
        for target in targets.into_iter().flatten() {
            // No component is `..`, so it is below the torrent's folder wherever it is put there.
            prop_assert!(target.split('/').all(|name| !["", ".", ".."].contains(&name)), "{}", target);
        }
    }
}
