//! The policy's table, row by row.

use super::*;

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn a_private_tracker_is_allowed() {
    let mut policy = Policy::new();
    let lan = ips(&["192.168.1.5"]);
    assert_eq!(policy.admit(&url("http://tracker.lan/a.php"), &lan).unwrap(), lan);
}

#[test]
fn loopback_needs_a_trackers_path() {
    let me = ips(&["127.0.0.1"]);
    let admit = |text: &str| Policy::new().admit(&url(text), &me);
    for good in [
        "http://127.0.0.1/announce",
        "http://localhost:6969/announce.php?passkey=1",
        "udp://127.0.0.1:6969/announce",
        "http://127.0.0.1/scrape",
        "http://127.0.0.1/announce/abc123",
        "http://127.0.0.1:8080/abc123/announce",
        "http://u:p@127.0.0.1:8080/0a-B_c/announce.php?x=1",
        "https://127.0.0.1/abc123/scrape",
        "udp://127.0.0.1:6969",
        "udp://127.0.0.1:6969/any/path",
    ] {
        assert_eq!(admit(good).unwrap(), me, "{good}");
    }
    for bad in [
        "http://127.0.0.1/",
        "http://127.0.0.1/admin?x=/announce",
        "http://127.0.0.1/announce/../admin",
        "http://127.0.0.1/announce/%2e%2e/admin",
        "http://127.0.0.1/announce/..%2fadmin",
        "http://127.0.0.1\\announce/../admin",
        "http://127.0.0.1/admin.php/announce",
        "http://127.0.0.1/cgi-bin/admin/announce",
        "http://127.0.0.1//announce",
        "http://127.0.0.1/abc123/announce/admin",
        "http://127.0.0.1/abc%31/announce",
        "http://127.0.0.1/abc123/admin?/announce",
    ] {
        assert_eq!(admit(bad).unwrap_err().kind(), ErrorKind::Refused, "{bad}");
    }
}

#[test]
fn logins_are_sent_to_private_addresses_for_tracker_paths_only() {
    let lan = ips(&["192.168.1.1"]);
    let admit = |text: &str| Policy::new().admit(&url(text), &lan);
    for good in [
        "http://192.168.1.1/reboot.cgi",
        "http://user:pass@192.168.1.1/announce",
        "http://user:pass@192.168.1.1/abc123/announce",
    ] {
        assert_eq!(admit(good).unwrap(), lan, "{good}");
    }
    for bad in ["http://admin:admin@192.168.1.1/reboot.cgi", "http://admin@192.168.1.1/"] {
        let error = admit(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{bad}");
        assert!(!error.to_string().contains("admin"), "{error}");
    }
    let outside = ips(&["93.184.216.34"]);
    assert!(Policy::new().admit(&url("http://u:p@example.org/any"), &outside).is_ok());
}

#[test]
fn a_name_that_moves_inside_later_is_refused() {
    let mut policy = Policy::new();
    let tracker = url("http://rebind.example/announce");
    let outside = ips(&["93.184.216.34"]);
    assert_eq!(policy.admit(&tracker, &outside).unwrap(), outside);
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254"] {
        assert_eq!(policy.admit(&tracker, &ips(&[inside])).unwrap_err().kind(), ErrorKind::Refused);
    }
    // Capital letters do not make another name, and what is public may move freely.
    let capital = url("http://REBIND.example/announce");
    assert!(policy.admit(&capital, &ips(&["10.0.0.1"])).is_err());
    let mixed = ips(&["10.0.0.1", "93.184.216.35"]);
    assert_eq!(policy.admit(&tracker, &mixed).unwrap(), ips(&["93.184.216.35"]));
}

#[test]
fn a_name_keeps_the_inside_address_it_had() {
    let mut policy = Policy::new();
    let tracker = url("http://tracker.lan/announce");
    let lan = ips(&["10.0.0.7"]);
    assert_eq!(policy.admit(&tracker, &lan).unwrap(), lan);
    assert_eq!(policy.admit(&tracker, &lan).unwrap(), lan);
    assert!(policy.admit(&tracker, &ips(&["10.0.0.8"])).is_err());
}

#[test]
fn redirects_stay_outside_or_where_they_came_from() {
    let policy = Policy::new();
    let origin = ips(&["127.0.0.1"]);
    let to = |target: &str, ip: &str| policy.admit_redirect(&url(target), &ips(&[ip]), &origin);
    assert!(to("http://example.org/x", "93.184.216.34").is_ok());
    assert!(to("http://127.0.0.1:8080/announce", "127.0.0.1").is_ok());
    assert!(to("http://127.0.0.1:8080/admin", "127.0.0.1").is_err());
    assert!(to("http://127.0.0.2/announce", "127.0.0.2").is_err());
    assert!(to("http://router.lan/announce", "192.168.1.1").is_err());
    assert!(to("http://[::ffff:127.0.0.2]/announce", "::ffff:127.0.0.2").is_err());
}

#[test]
fn nobody_is_never_asked() {
    for ip in ["0.0.0.0", "::", "239.1.1.1", "255.255.255.255"] {
        assert!(Policy::new().admit(&url("http://x/announce"), &ips(&[ip])).is_err(), "{ip}");
    }
    assert!(Policy::new().admit(&url("http://x/announce"), &[]).is_err());
}

#[test]
fn a_full_table_trusts_no_new_inside_address() {
    let mut policy = Policy::new();
    for n in 0..MAX_HOSTS {
        let _ = policy.admit(&url(&format!("http://h{n}.example/announce")), &ips(&["1.1.1.1"]));
    }
    let late = url("http://late.lan/announce");
    assert!(policy.admit(&late, &ips(&["10.0.0.1"])).is_err());
    assert!(policy.admit(&late, &ips(&["1.0.0.1"])).is_ok());
}

#[test]
fn a_tracker_is_not_looked_for_at_the_ports_of_other_services() {
    let outside = ips(&["9.9.9.9"]);
    for port in [22, 25, 53, 6667] {
        for scheme in ["http", "udp"] {
            let tracker = url(&format!("{scheme}://x.example:{port}/announce"));
            let error = Policy::new().admit(&tracker, &outside).unwrap_err();
            assert_eq!(error.to_string().lines().count(), 1);
            assert!(error.to_string().contains("another service"), "{error}");
            assert!(Policy::new().admit_redirect(&tracker, &outside, &outside).is_err());
        }
    }
    for port in [80, 443, 451, 2710, 6969] {
        let tracker = url(&format!("udp://x.example:{port}/announce"));
        assert!(Policy::new().admit(&tracker, &outside).is_ok(), "{port}");
    }
}

#[test]
fn a_host_with_a_far_address_is_far() {
    assert_eq!(farthest(&ips(&["127.0.0.1", "9.9.9.9"])), Class::Global);
    assert_eq!(farthest(&ips(&["127.0.0.1", "10.0.0.1"])), Class::Private);
    assert_eq!(farthest(&[]), Class::Global);
}
