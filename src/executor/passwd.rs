//! Who the payload is: a user as it is written, looked up in the container's own passwd and group files. No I/O.
//!
//! The files are the image's and may say anything. A line that is not as passwd(5) and group(5) have it does not exist.

/// setgroups(2) takes no more.
const MOST_GROUPS: usize = 65536;

/// What a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary, the primary one first: without it there, a process that changes its group sheds the old one,
    /// and with it what files refuse to that group (CVE-2022-36109).
    pub groups: Vec<u32>,
    /// As passwd has it, where it does.
    pub name: Option<String>,
    /// An absolute path. `None` where passwd has none for the user.
    pub home: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the container's /etc/passwd has no user “{0}”")]
    User(String),
    #[error("the container's /etc/group has no group “{0}”")]
    Group(String),
    #[error("id {0} is out of range; expected 0 to 4294967294")]
    Range(String),
    #[error("user “{0}” is not understood; expected USER or USER:GROUP, each a name or a number")]
    Form(String),
    #[error("user “{0}” is in more than {MOST_GROUPS} groups of the container's /etc/group")]
    Groups(String),
}

/// The identity of `user`, `USER[:GROUP]` by names or numbers, with `extra_groups` beside those it has.
///
/// `None`, and nothing before the colon, is the container's root. As with docker, a number need not be in `passwd` and
/// has group 0 then, and a user with a group named is in no other. Unlike there, digits are always a number: an image
/// cannot call its root “1000”.
pub fn resolve(
    user: Option<&str>,
    extra_groups: &[String],
    passwd: &[u8],
    group: &[u8],
) -> Result<Identity, IdentityError> {
    let spec = user.unwrap_or_default();
    let (user, chosen_group) = spec.split_once(':').unwrap_or((spec, ""));
    if chosen_group.contains(':') {
        return Err(IdentityError::Form(spec.to_owned()));
    }
    let number = if user.is_empty() { Some(0) } else { id(user)? };
    let account = accounts(passwd).find(|account| match number {
        Some(uid) => account.uid == uid,
        None => account.name == user.as_bytes(),
    });
    let uid = match (number, &account) {
        (Some(uid), _) => uid,
        (None, Some(account)) => account.uid,
        (None, None) => return Err(IdentityError::User(user.to_owned())),
    };
    let (gid, member) = if chosen_group.is_empty() {
        (account.as_ref().map_or(0, |account| account.gid), account.as_ref().map(|account| account.name))
    } else {
        (group_id(chosen_group, group)?, None)
    };
    let mut others: Vec<u32> = member.into_iter().flat_map(|name| memberships(group, name)).collect();
    for extra in extra_groups {
        others.push(group_id(extra, group)?);
    }
    others.sort_unstable();
    others.dedup();
    others.retain(|other| *other != gid);
    others.insert(0, gid);
    if others.len() > MOST_GROUPS {
        return Err(IdentityError::Groups(spec.to_owned()));
    }
    let name = account.as_ref().and_then(|account| String::from_utf8(account.name.to_vec()).ok());
    Ok(Identity { uid, gid, groups: others, name, home: account.and_then(|account| account.home()) })
}

/// A number, if it is written as one. -1 means “none” to the kernel.
fn id(text: &str) -> Result<Option<u32>, IdentityError> {
    if text.is_empty() || !text.bytes().all(|letter| letter.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(id) if id != u32::MAX => Ok(Some(id)),
        _ => Err(IdentityError::Range(text.to_owned())),
    }
}

fn group_id(text: &str, group: &[u8]) -> Result<u32, IdentityError> {
    match id(text)? {
        Some(gid) => Ok(gid),
        None => groups(group)
            .find(|group| group.name == text.as_bytes())
            .map(|group| group.gid)
            .ok_or_else(|| IdentityError::Group(text.to_owned())),
    }
}

fn memberships<'a>(group: &'a [u8], user: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
    groups(group)
        .filter(move |group| group.members.split(|letter| *letter == b',').any(|member| member == user))
        .map(|group| group.gid)
}

/// A line of passwd(5).
struct Account<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

impl Account<'_> {
    fn home(&self) -> Option<String> {
        let home = std::str::from_utf8(self.home).ok()?;
        (home.starts_with('/') && !home.contains('\0')).then(|| home.to_owned())
    }
}

/// A line of group(5).
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

fn accounts(passwd: &[u8]) -> impl Iterator<Item = Account<'_>> {
    lines(passwd).filter_map(|mut fields| {
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name: entry_name(name)?, uid: entry_id(uid)?, gid: entry_id(gid)?, home })
    })
}

fn groups(group: &[u8]) -> impl Iterator<Item = Group<'_>> {
    lines(group).filter_map(|mut fields| {
        let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Group { name: entry_name(name)?, gid: entry_id(gid)?, members: fields.next().unwrap_or_default() })
    })
}

/// The fields of each line.
fn lines(file: &[u8]) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
    file.split(|letter| *letter == b'\n').map(|line| line.trim_ascii_end().split(|letter| *letter == b':'))
}

/// `+` and `-` begin what NIS is to be asked for, `#` what is meant to be no entry.
fn entry_name(name: &[u8]) -> Option<&[u8]> {
    name.first().is_some_and(|first| !b"+-#".contains(first)).then_some(name)
}

fn entry_id(field: &[u8]) -> Option<u32> {
    id(std::str::from_utf8(field).ok()?).ok().flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        # comment:x:7:7::/:\n\
        broken\n\
        half:x:12\n\
        words:x:one:two::/:\n\
        minus:x:-1:5::/:\n\
        huge:x:4294967296:5::/:\n\
        none:x:4294967295:5::/:\n\
        +::::::\n\
        1000:x:0:0:root by another name:/root:/bin/sh\n\
        web:x:33:34:Web, of course:/srv/www:/usr/sbin/nologin\n\
        again:x:33:99::/again:/bin/sh\n\
        bare:x:40:41\n\
        odd:x:42:43::relative:/bin/sh\r\n";

    const GROUP: &[u8] = b"root:x:0:\n\
        broken:x\n\
        adm:x:4:web,root\n\
        www:x:34:web\n\
        mail:x:8:webmaster,other\n\
        audio:x:29:other,web\n\
        huge:x:99999999999:web\n\
        audio:x:1029:\n";

    fn of(user: &str) -> Identity {
        resolve(Some(user), &[], PASSWD, GROUP).unwrap()
    }

    fn error(user: &str, extra: &[&str]) -> String {
        let extra: Vec<String> = extra.iter().map(|group| (*group).to_owned()).collect();
        resolve(Some(user), &extra, PASSWD, GROUP).unwrap_err().to_string()
    }

    #[test]
    fn a_name_brings_its_groups_and_home() {
        let web = Identity {
            uid: 33,
            gid: 34,
            groups: vec![34, 4, 29],
            name: Some("web".to_owned()),
            home: Some("/srv/www".to_owned()),
        };
        assert_eq!(of("web"), web);
    }

    #[test]
    fn a_number_with_an_entry_is_the_first_user_of_that_number() {
        assert_eq!(of("33"), of("web"));
        assert_eq!(of("0033"), of("web"));
    }

    #[test]
    fn a_number_without_an_entry_has_group_0_and_no_home() {
        assert_eq!(of("1234"), Identity { uid: 1234, gid: 0, groups: vec![0], name: None, home: None });
        assert_eq!(of("4294967294").uid, 4294967294);
    }

    #[test]
    fn digits_are_a_number_even_where_the_image_has_such_a_name() {
        assert_eq!(of("1000").uid, 1000);
    }

    #[test]
    fn nobody_named_is_root_as_passwd_has_it() {
        let root = Identity {
            uid: 0,
            gid: 0,
            groups: vec![0, 4],
            name: Some("root".to_owned()),
            home: Some("/root".to_owned()),
        };
        assert_eq!(resolve(None, &[], PASSWD, GROUP).unwrap(), root);
        assert_eq!(of(""), root);
        assert_eq!(of(":"), root);
        let bare = Identity { uid: 0, gid: 0, groups: vec![0], name: None, home: None };
        assert_eq!(resolve(None, &[], b"", b"").unwrap(), bare);
        assert_eq!(resolve(None, &[], b"toor:x:0:5::/toor:", b"").unwrap().gid, 5);
    }

    #[test]
    fn a_group_named_is_the_only_one() {
        assert_eq!(of("web:audio"), Identity { gid: 29, groups: vec![29], ..of("web") });
        assert_eq!(of("33:4242"), Identity { gid: 4242, groups: vec![4242], ..of("web") });
        assert_eq!(
            of(":adm"),
            Identity { uid: 0, gid: 4, groups: vec![4], name: Some("root".to_owned()), home: Some("/root".to_owned()) }
        );
    }

    #[test]
    fn extra_groups_are_added_once() {
        let extra = ["mail", "4", "34", "4242", "mail"].map(str::to_owned);
        assert_eq!(resolve(Some("web"), &extra, PASSWD, GROUP).unwrap().groups, [34, 4, 8, 29, 4242]);
        assert_eq!(resolve(Some("web:8"), &extra, PASSWD, GROUP).unwrap().groups, [8, 4, 34, 4242]);
    }

    #[test]
    fn a_home_must_be_an_absolute_path() {
        assert_eq!(of("bare").home, None);
        assert_eq!((of("odd").uid, of("odd").home), (42, None));
    }

    #[test]
    fn errors_name_the_file_and_the_name() {
        for user in
            ["nobody", "broken", "half", "words", "minus", "huge", "none", "# comment", "+", "-1", "+5", " 0", "0x0"]
        {
            assert_eq!(error(user, &[]), format!("the container's /etc/passwd has no user “{user}”"));
        }
        for group in ["staff", "broken", "huge", "-1"] {
            let expected = format!("the container's /etc/group has no group “{group}”");
            assert_eq!(error(&format!("web:{group}"), &[]), expected);
            assert_eq!(error("web", &[group]), expected);
        }
        for id in ["4294967295", "4294967296", "99999999999999999999999"] {
            let expected = format!("id {id} is out of range; expected 0 to 4294967294");
            assert_eq!(error(id, &[]), expected);
            assert_eq!(error(&format!("web:{id}"), &[]), expected);
            assert_eq!(error("web", &[id]), expected);
        }
        assert_eq!(
            error("web:adm:x", &[]),
            "user “web:adm:x” is not understood; expected USER or USER:GROUP, each a name or a number"
        );
    }

    #[test]
    fn more_groups_than_the_kernel_takes_is_an_error() {
        let file: String = (0..=MOST_GROUPS).map(|gid| format!("g{gid}:x:{gid}:web\n")).collect();
        let result = resolve(Some("web"), &[], PASSWD, file.as_bytes());
        assert_eq!(result, Err(IdentityError::Groups("web".to_owned())));
    }

    fn damaged_line() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            Just(b"web".to_vec()),
            Just(b"x".to_vec()),
            Just(b"33".to_vec()),
            Just(b"web,root,".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(field, 0..9).prop_map(|fields| fields.join(&b':'))
    }

    proptest! {
        #[test]
        fn hostile_files_give_an_identity_or_an_error(
            user in prop::option::of("(web|33|[0-9]{1,12}|\\PC{0,5})(:(x|\\PC{0,3}))?"),
            extra in prop::collection::vec("web|[0-9]{1,11}", 0..3),
            passwd in prop::collection::vec(damaged_line(), 0..6),
            group in prop::collection::vec(damaged_line(), 0..6),
        ) {
            let (passwd, group) = (passwd.join(&b'\n'), group.join(&b'\n'));
            if let Ok(identity) = resolve(user.as_deref(), &extra, &passwd, &group) {
                prop_assert_eq!(identity.groups[0], identity.gid);
                prop_assert!(!identity.groups.contains(&u32::MAX));
                prop_assert_ne!(identity.uid, u32::MAX);
                prop_assert!(identity.home.is_none_or(|home| home.starts_with('/')));
            }
        }
    }
}
