//! `registry …`: who we are at registries.

use std::io::{BufRead, IsTerminal, Write};

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::Accepted;
use crate::Scope;
use crate::image::{Login, Logins, Place, Registries, Repository, certificate_directories};

/// Log in to registries and out of them
#[derive(Debug, Subcommand)]
pub enum Registry {
    Login(LogIn),
    Logout(LogOut),
}

/// Try a user's name and password at a registry, and keep them
///
/// They are kept in the file podman, skopeo and buildah use: $REGISTRY_AUTH_FILE, or /run/containers/0/auth.json until the
/// next boot.
#[derive(Debug, Args)]
pub struct LogIn {
    #[command(flatten)]
    accepted: Accepted,
    /// Asked for where it is not given
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[arg(value_name = "HOST")]
    host: String,
}

/// Forget a login
#[derive(Debug, Args)]
pub struct LogOut {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "HOST")]
    host: String,
}

impl Registry {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let registries = Registries::of(scope)?;
        let logins = Logins::of(scope, registries.credential_helpers());
        match self {
            Registry::Login(login) => login.carry_out(scope, &registries, &logins),
            Registry::Logout(logout) => {
                let path = logins.remove(host(&logout.host)?)?;
                if !logout.accepted.quiet {
                    println!("removed the login for {} from {}", logout.host, path.display());
                }
                Ok(0)
            }
        }
    }
}

impl LogIn {
    fn carry_out(self, scope: &Scope, registries: &Registries, logins: &Logins) -> Result<i32, Failure> {
        let host = host(&self.host)?;
        let user = match self.username {
            Some(user) => user,
            None => ask("Username: ", false)?,
        };
        if user.is_empty() || user.contains(':') {
            return Err(Failure::new(format!("“{user}” is not a user's name: it is empty or has a “:”")));
        }
        let password = match self.password_stdin {
            true => line()?,
            false => ask("Password: ", true)?,
        };
        let place = Place { host: host.to_owned(), path: String::new(), insecure: registries.is_insecure(host) };
        let login = Login::Password { user: user.clone(), password: password.clone() };
        Repository::try_login(place, login, certificate_directories(scope))?;
        let path = logins.add(host, &user, &password)?;
        if !self.accepted.quiet {
            println!("logged in to {host}, kept in {}", path.display());
        }
        Ok(0)
    }
}

/// A registry's host alone, as its images' names begin.
fn host(text: &str) -> Result<&str, Failure> {
    let named = format!("{text}/a").parse::<crate::image::Reference>();
    match named.is_ok_and(|named| named.host() == Some(text)) {
        true => Ok(text),
        false => Err(Failure::new(format!("“{text}” is not a registry: expected HOST[:PORT], without https://"))),
    }
}

fn ask(question: &str, secret: bool) -> Result<String, Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        let option = if secret { "--password-stdin" } else { "--username" };
        return Err(Failure::new(format!("standard input is not a terminal: give {option}")));
    }
    eprint!("{question}");
    std::io::stderr().flush()?;
    if !secret {
        return line();
    }
    let before = rustix::termios::tcgetattr(&input)?;
    let mut silent = before.clone();
    silent.local_modes.remove(rustix::termios::LocalModes::ECHO);
    rustix::termios::tcsetattr(&input, rustix::termios::OptionalActions::Flush, &silent)?;
    let typed = line();
    rustix::termios::tcsetattr(&input, rustix::termios::OptionalActions::Now, &before)?;
    eprintln!();
    typed
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
