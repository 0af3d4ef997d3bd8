//! TOML in, one typed [`Container`] out. Only the loader touches the file system.

pub mod capability;
mod container;
mod name;

pub use container::*;
pub use name::{ContainerName, NameError};
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Diagnostics;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub enum LoadError {
    NotFound { x: u8 },
    Io,
}
pub struct SourceFile {
    pub path: std::path::PathBuf,
    pub text: String,
}
pub struct Sources {
    pub name: ContainerName,
    pub files: Vec<SourceFile>,
}
impl Sources {
    pub fn load(_: &crate::Scope, _: &ContainerName) -> Result<Sources, LoadError> {
        Err(LoadError::Io)
    }
    pub fn from_file(p: &std::path::Path, name: ContainerName) -> Result<Sources, LoadError> {
        Ok(Sources {
            name,
            files: vec![SourceFile { path: p.into(), text: std::fs::read_to_string(p).map_err(|_| LoadError::Io)? }],
        })
    }
    pub fn hash(&self) -> String {
        String::new()
    }
    pub fn parse(&self) -> Result<Container, Diagnostics> {
        let v: toml::Table = self.files[0].text.parse().unwrap();
        let strs = |k: &str| {
            v.get(k).map(|a| a.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        let user_namespace =
            if v.contains_key("hostuser") { UserNamespace::Host } else { UserNamespace::Auto { size: 65536 } };
        Ok(Container {
            description: None,
            source: RootSource::RootFs(v["rootfs"].as_str().unwrap().into()),
            autostart: false,
            boot: false,
            init: v.contains_key("init"),
            entrypoint: None,
            command: strs("command"),
            environment: Default::default(),
            environment_files: vec![],
            environment_pass: vec![],
            http_proxy: false,
            working_directory: None,
            user: None,
            groups: vec![],
            umask: 0o22,
            hostname: None,
            timezone: Timezone::Host,
            stop_signal: None,
            reload: None,
            notify: Notify::Executor,
            tty: false,
            ephemeral: None,
            read_only: false,
            volatile: Volatile::No,
            shm_size: 64 << 20,
            devices: vec![],
            labels: Default::default(),
            annotations: Default::default(),
            pull: Pull { policy: PullPolicy::Missing, platform: None, retry: 0, retry_delay: Default::default() },
            mounts: vec![],
            namespaces: Namespaces {
                pid: NamespaceMode::Private,
                ipc: NamespaceMode::Private,
                uts: NamespaceMode::Private,
                cgroup: NamespaceMode::Private,
            },
            security: Security {
                privileged: false,
                insecure: vec![],
                no_new_privileges: None,
                seccomp: SeccompSource::Default,
                apparmor: AppArmor::Default,
                selinux_label: None,
                masked_paths: vec![],
                unmasked_paths: vec![],
                read_only_paths: vec![],
                capabilities: Default::default(),
                user_namespace,
            },
            sysctls: Default::default(),
            rlimits: Default::default(),
            network: Network {
                mode: NetworkMode::Private,
                dns: vec![],
                dns_search: vec![],
                dns_options: vec![],
                hosts: Default::default(),
                resolv_conf: ResolvConf::Auto,
            },
            verbatim: vec![],
        })
    }
}

pub struct Declared {
    pub stem: String,
    pub path: std::path::PathBuf,
}
pub fn declared(_: &crate::Scope) -> std::io::Result<Vec<Declared>> {
    Ok(vec![])
}
