//! nft(8) at work. Most of its time it waits for the kernel; a start does other things meanwhile.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::network::error::{Context, Error};
use crate::network::lock::Lock;

pub struct Loading(Child);

impl Loading {
    /// The rules are in a file of memory: nft never reads half of them from somebody who was killed. It holds the lock as
    /// long as it runs, whoever was killed: what it says on its standard output is nothing.
    pub fn begin(text: &str, lock: &Lock) -> Result<Self, Error> {
        let memory = memfd_create("berth-rules", MemfdFlags::CLOEXEC).doing(|| "memfd_create")?;
        let mut input = File::from(memory);
        input.write_all(text.as_bytes()).and_then(|()| input.rewind()).doing(|| "write the rules")?;
        let nft = Command::new("nft")
            .args(["-f", "-"])
            // A start that gives its terminal to the container hangs up on whoever is in the foreground with it.
            .process_group(0)
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(lock.share()?))
            .stderr(Stdio::piped())
            .spawn();
        Ok(Loading(nft.doing(|| "run nft, of the package nftables")?))
    }

    pub fn finish(self) -> Result<(), Error> {
        let output = self.0.wait_with_output().doing(|| "wait for nft")?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::Rules(said.lines().next().unwrap_or("it failed and said nothing").to_owned()))
    }
}
