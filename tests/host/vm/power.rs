//! Power that goes away while an image comes in.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::faults::{Random, counts, say};
use crate::ring::{Host, Ring};

/// Of the second disk, which holds the store.
const SIZE: u64 = 192 << 20;

const IMAGE: &str = "localhost:5000/cut:1";

const PULL: &str = "berthctl pull -q --insecure image-signature localhost:5000/cut:1";

/// A registry whose log has a line for every request, and an image of layers that take their time.
const REGISTRY: &str = r#"
cat >/root/registry.yml <<'CONF'
version: 0.1
log: {level: error, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: /root/registry}}
http: {addr: "127.0.0.1:5000"}
CONF
mkdir -p /etc/containers/registries.conf.d
printf '[[registry]]\nlocation = "localhost:5000"\ninsecure = true\n' >/etc/containers/registries.conf.d/cut.conf
cat >/etc/systemd/system/registry.service <<'CONF'
[Service]
ExecStart=docker-registry serve /root/registry.yml
StandardOutput=truncate:/run/requests
CONF
systemctl daemon-reload
systemctl start registry
"#;

const FILL: &str = r#"
python3 /root/image.py /root/image cut 6 amd64 1000000
until skopeo copy -q --dest-tls-verify=false oci:/root/image:latest docker://localhost:5000/cut:1; do sleep 0.2; done
"#;

#[test]
#[ignore = "vm ring: make check"]
fn power_lost_during_a_pull_costs_no_finished_layer_and_leaves_a_clean_store() {
    assert_eq!(Ring::chosen(), Ring::Vm, "a loss of power needs BERTH_RING=vm");
    let mut random = Random::seeded();
    let directory =
        tempfile::tempdir_in(std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into())).unwrap();
    let disk = directory.path().join("second");
    File::create(&disk).unwrap().set_len(SIZE).unwrap();
    let made =
        Command::new("mkfs.ext4").args(["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(&disk).output();
    assert!(made.unwrap().status.success());
    let machine = Host::boot_with("power", &["--second", disk.to_str().unwrap()]);
    machine.write("/root/image.py", include_str!("../pull/image.py"));
    machine.run(&format!("set -e; mkdir -p /var/lib/berth; mount /dev/nvme1n1 /var/lib/berth; {REGISTRY} {FILL}")).ok();

    let cuts = copies(&machine, directory.path(), &mut random);
    machine.lose_power_and(|| join(&cuts, &disk));

    machine.run(REGISTRY).ok();
    let mut unfinished = 0;
    let mut kept = 0;
    for number in 0..cuts.len() {
        let script = format!(
            r#"
until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.1; done
modprobe loop; device=$(losetup --find --show --offset {offset} --sizelimit {SIZE} /dev/nvme1n1) && mount $device /var/lib/berth || exit 1
berthctl image check || {{ echo "the store is not clean"; exit 1; }}
berthctl image list | grep -q cut && echo whole || echo partial
ls /var/lib/berth/oci/blobs/sha256 2>/dev/null | sort >/run/finished
: >/run/requests
{PULL} >/dev/null && berthctl image check || exit 1
grep -o 'GET /v2/cut/blobs/sha256:[0-9a-f]*' /run/requests | cut -d: -f2 | sort -u | comm -12 - /run/finished | sed 's/^/fetched again /'
wc -l </run/finished
[[ {number} != 0 ]] || berthctl run {IMAGE} | tail -n 1
umount /var/lib/berth && losetup -d $device"#,
            offset = number as u64 * SIZE
        );
        let seen = machine.run_within(240, &script);
        assert_eq!(seen.code, Some(0), "cut {number}: {}{}", seen.stdout, seen.stderr);
        assert!(!seen.stdout.contains("fetched again"), "cut {number}: {}", seen.stdout);
        assert!(number > 0 || seen.stdout.ends_with("cut amd64 5\n"), "cut {number}: {}", seen.stdout);
        let partial = seen.stdout.contains("partial");
        unfinished += u32::from(partial);
        kept += u32::from(partial && !seen.stdout.contains("\n0\n"));
    }
    say(&format!(
        "power cut at {} moments, {unfinished} before the end of the pull, {kept} with finished blobs",
        cuts.len()
    ));
    assert!(unfinished > 0, "the power never went away during a pull");
}

/// Copies of the disk at random moments of pulls, several of each pull.
fn copies(machine: &Host, directory: &Path, random: &mut Random) -> Vec<std::path::PathBuf> {
    let pulls = counts(6, 2);
    let mut cuts = Vec::new();
    let began = Instant::now();
    machine.run(PULL).ok();
    let taken = began.elapsed().as_millis() as u32;
    for _ in 0..pulls {
        machine.run("berthctl image gc --all >/dev/null; sync").ok();
        let mut pull = machine.command(["bash", "-c", PULL]).spawn().unwrap();
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(u64::from(random.below(taken / 3))));
            let cut = directory.join(format!("cut-{}", cuts.len()));
            machine.copy_second_disk(&cut);
            cuts.push(cut);
        }
        assert!(pull.wait().unwrap().success());
    }
    cuts
}

/// One disk of them all, in the place of the one they are copies of.
fn join(cuts: &[std::path::PathBuf], disk: &Path) {
    let whole = File::create(disk).unwrap();
    whole.set_len(cuts.len() as u64 * SIZE).unwrap();
    for (number, cut) in cuts.iter().enumerate() {
        let content = std::fs::read(cut).unwrap();
        for (part, bytes) in content.chunks(1 << 20).enumerate() {
            // What was never written stays a hole.
            if bytes.iter().any(|byte| *byte != 0) {
                whole.write_all_at(bytes, number as u64 * SIZE + ((part as u64) << 20)).unwrap();
            }
        }
    }
    (&whole).flush().unwrap();
}
