#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct IdentityError;
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: Option<String>,
}
pub fn resolve(_: Option<&str>, _: &[String], _: &[u8], _: &[u8]) -> Result<Identity, IdentityError> {
    Ok(Identity { uid: 0, gid: 0, groups: vec![], home: None })
}
