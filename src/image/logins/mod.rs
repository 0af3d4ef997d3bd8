//! Who we are at a registry: the logins podman, skopeo, buildah and docker share (containers-auth.json(5)).

mod file;
mod helper;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use file::AuthFile;

use crate::Scope;
use crate::scope::Manager;

/// The helper of registries.conf that stands for the files.
const FILES: &str = "containers-auth.json";
pub const HUB: &str = "docker.io";

/// What a registry or its token server is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    Password {
        user: String,
        password: String,
    },
    /// Exchanged for a token, without a user (OAuth 2's refresh token).
    IdentityToken(String),
}

/// A password must not end up in a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Login::Password { user, .. } => write!(formatter, "Password({user})"),
            Login::IdentityToken(_) => formatter.write_str("IdentityToken"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("cannot {action} {}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: {problem}", .path.display())]
    File { path: PathBuf, problem: String },
    #[error("credential helper {program}: {problem}")]
    Helper { program: String, problem: String },
    #[error("not logged in to {host}: {} has no entry for it", .path.display())]
    NotLoggedIn { host: String, path: PathBuf },
}

/// Where logins are looked for, and where a new one is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logins {
    /// The only one, which must exist, or those that may.
    named: Option<PathBuf>,
    paths: Vec<PathBuf>,
    helpers: Vec<String>,
}

impl Logins {
    /// Root's or a user's, by the environment; `helpers` are those of registries.conf.
    pub fn of(scope: &Scope, helpers: &[String]) -> Logins {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let run = run_directory(scope.manager, variable("XDG_RUNTIME_DIR"), rustix::process::getuid().as_raw());
        Logins::new(variable("REGISTRY_AUTH_FILE"), variable("HOME"), &run, helpers)
    }

    fn new(named: Option<OsString>, home: Option<OsString>, run: &Path, helpers: &[String]) -> Logins {
        let home = home.map(PathBuf::from);
        let at_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let paths =
            [Some(run.join("auth.json")), at_home(".config/containers/auth.json"), at_home(".docker/config.json")];
        Logins {
            named: named.map(PathBuf::from),
            paths: paths.into_iter().flatten().collect(),
            helpers: helpers.to_vec(),
        }
    }

    /// The login for a repository (`quay.io/a/b`): in the first file that has one, the one of the closest name.
    pub fn find(&self, repository: &str) -> Result<Option<Login>, LoginError> {
        let host = repository.split('/').next().unwrap_or(repository);
        let files = [FILES.to_owned()];
        let helpers = if self.helpers.is_empty() { &files } else { self.helpers.as_slice() };
        for helper in helpers {
            let found = match helper.as_str() {
                FILES => self.find_in_files(repository)?,
                name => helper::get(name, host)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn find_in_files(&self, repository: &str) -> Result<Option<Login>, LoginError> {
        let paths = self.named.as_ref().map_or(self.paths.as_slice(), std::slice::from_ref);
        for path in paths {
            let Some(file) = AuthFile::load(path)? else {
                if self.named.is_some() {
                    let source = std::io::ErrorKind::NotFound.into();
                    return Err(LoginError::Io { action: "read (REGISTRY_AUTH_FILE)", path: path.clone(), source });
                }
                continue;
            };
            if let Some(login) = file.find(repository)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    /// Keeps a login where podman looks first. Returns the file.
    pub fn add(&self, host: &str, user: &str, password: &str) -> Result<PathBuf, LoginError> {
        let path = self.written();
        let mut file = AuthFile::load(&path)?.unwrap_or_else(|| AuthFile::empty(&path));
        file.set(host, user, password)?;
        file.save()?;
        Ok(path)
    }

    /// Takes a login away.
    pub fn remove(&self, host: &str) -> Result<PathBuf, LoginError> {
        let path = self.written();
        let mut file = AuthFile::load(&path)?.unwrap_or_else(|| AuthFile::empty(&path));
        if !file.unset(host) {
            return Err(LoginError::NotLoggedIn { host: host.to_owned(), path });
        }
        file.save()?;
        Ok(path)
    }

    fn written(&self) -> PathBuf {
        self.named.clone().or_else(|| self.paths.first().cloned()).unwrap_or_default()
    }
}

/// Where podman keeps logins until the next boot; root's are not in the session root happens to have.
fn run_directory(manager: Manager, session: Option<OsString>, user: u32) -> PathBuf {
    match (manager, session) {
        (Manager::System, _) => PathBuf::from("/run/containers/0"),
        (Manager::User, Some(session)) => Path::new(&session).join("containers"),
        (Manager::User, None) => Path::new("/run/containers").join(user.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_s_logins_are_in_the_user_s_session() {
        let session = Some(OsString::from("/run/user/1000"));
        for (manager, session, expected) in [
            (Manager::System, session.clone(), "/run/containers/0"),
            (Manager::User, session, "/run/user/1000/containers"),
            (Manager::User, None, "/run/containers/1000"),
        ] {
            assert_eq!(run_directory(manager, session, 1000), Path::new(expected));
        }
    }

    fn logins(directory: &Path, files: &[(&str, &str)]) -> Logins {
        for (name, text) in files {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Logins::new(None, Some(directory.join("home").into()), &directory.join("run"), &[])
    }

    fn user(login: Option<Login>) -> String {
        match login {
            Some(Login::Password { user, password }) => format!("{user}:{password}"),
            Some(Login::IdentityToken(token)) => format!("token {token}"),
            None => "nobody".to_owned(),
        }
    }

    #[test]
    fn the_closest_name_of_the_first_file_that_has_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        // a:1, b:2, c:3, d:4, e:5
        let first =
            r#"{"auths": {"q.io": {"auth": "YTox"}, "q.io/x": {"auth": "Yjoy"}, "q.io/x/y/z": {"auth": "Yzoz"}}}"#;
        let second = r#"{"auths": {"q.io/x/y": {"auth": "ZDo0"}, "https://index.docker.io/v1/": {"auth": "ZTo1"},
            "t.io": {"auth": "", "identitytoken": "T"}}}"#;
        let logins = logins(directory.path(), &[("run/auth.json", first), ("home/.docker/config.json", second)]);
        for (repository, expected) in [
            ("q.io/a", "a:1"),
            ("q.io/x/y", "b:2"),
            ("q.io/x/y/z", "c:3"),
            ("q.io/xx", "a:1"),
            ("docker.io/library/web", "e:5"),
            ("t.io/a", "token T"),
            ("other.io/a", "nobody"),
        ] {
            assert_eq!(user(logins.find(repository).unwrap()), expected, "{repository}");
        }
    }

    #[test]
    fn a_login_is_kept_for_us_alone_and_taken_away_again() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let kept = r#"{"auths": {"a.io": {"auth": "YTox"}}, "other": [1]}"#;
        let logins = logins(directory.path(), &[("run/auth.json", kept)]);
        let path = logins.add("b.io", "me", "it: is").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(user(logins.find("b.io/x").unwrap()), "me:it: is");
        logins.remove("b.io").unwrap();
        assert_eq!(user(logins.find("b.io/x").unwrap()), "nobody");
        assert_eq!(user(logins.find("a.io/x").unwrap()), "a:1");
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"other\""));
        assert!(logins.remove("b.io").unwrap_err().to_string().contains("not logged in to b.io"));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("{", "run/auth.json: EOF"),
            (r#"{"auths": {"a.io": {"auth": "!"}}}"#, "run/auth.json: a.io: auth is not the base64 of USER:PASSWORD"),
            (r#"{"credHelpers": {"a.io": "../x"}}"#, "credential helper docker-credential-../x: not a program's name"),
        ] {
            let error = logins(directory.path(), &[("run/auth.json", text)]).find("a.io/b").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let named = directory.path().join("none.json");
        let logins = Logins::new(Some(named.into()), None, directory.path(), &[]);
        assert!(logins.find("a.io/b").unwrap_err().to_string().contains("none.json"));
    }
}
