//! kill -9 at every step.

use super::{CENSUS, PATIENT, Random, VICTIM, counts, nothing_is_left, run, surveyed};
use crate::ring::{BUSYBOX, Host, toml};

/// Calls that touch nothing but the process's own memory: being killed there is being killed at the one before.
const MEMORY: &str = "mmap,munmap,mprotect,madvise,brk";

/// The ones the container's own side uses, which no number of the executor's calls reaches.
const INSIDE: &str = "openat2,openat,mkdirat,move_mount,fsopen,fsconfig,fsmount,open_tree,mount_setattr,pivot_root,\
    umount2,sethostname,prctl,capset,setgroups,setresgid,setresuid,setsid,sendmsg,recvmsg,close_range,seccomp,execve";

/// Puts `strace OPTIONS` before the executor of `container@victim`. The tracer is a grandchild (-D), so systemd still
/// starts the executor itself.
fn traced(host: &Host, options: &str) {
    let drop_in = format!(
        "[Service]\nExecStart=\nExecStart=/usr/bin/strace -D -qq {options} /usr/lib/berth/berth-executor start %i\n"
    );
    host.write("/etc/systemd/system/container@victim.service.d/strace.conf", &drop_in);
    host.run("systemctl daemon-reload").ok();
}

/// How many calls the executor makes when nothing disturbs it, of those `filter` names.
fn calls(host: &Host, options: &str) -> u32 {
    traced(host, &format!("{options} -o /run/trace"));
    let counted = host.run("systemctl start container@victim && wc -l </run/trace; systemctl stop container@victim");
    let calls = counted.ok().trim().parse().unwrap();
    assert!(calls > 30, "only {calls} calls were seen");
    calls
}

/// Starts the victim with each of the `steps` as the call that kills, and has everything compared after each.
fn killed_at(host: &Host, what: &str, options: &str, steps: &[u32]) {
    eprintln!("{what}: killed at {steps:?}");
    for batch in steps.chunks(20) {
        let numbers: Vec<String> = batch.iter().map(u32::to_string).collect();
        let script = format!(
            r#"{CENSUS}
unit=container@victim.service
dropin=/etc/systemd/system/$unit.d/strace.conf
for step in {numbers}; do
    printf '[Service]\nExecStart=\nExecStart=/usr/bin/strace -D -qq -o /dev/null {options}:signal=KILL:when=%s /usr/lib/berth/berth-executor start %%i\n' $step >$dropin.new
    sed -i 's/%i$/victim/' $dropin.new
    mv $dropin.new $dropin
    systemctl daemon-reload
    timeout 30 systemctl start $unit 2>/dev/null
    # The start has failed while the end is still under way.
    for attempt in {{1..200}}; do
        state=$(systemctl is-active $unit)
        [[ $state == deactivating ]] || break
        sleep 0.02
    done
    # Killed once the payload ran, or not reached any more: then it runs, and stops like any other.
    case $state in
    active) timeout 30 systemctl stop $unit ;;
    failed) ;;
    *) echo "step $step: the unit is $state"; exit 1 ;;
    esac
    echo "$state $step"
    systemctl reset-failed $unit 2>/dev/null
    unchanged /run/census || {{ echo "left behind by the kill at call $step"; exit 1; }}
done"#,
            numbers = numbers.join(" ")
        );
        let done = host.run(&script);
        assert_eq!(done.code, Some(0), "{what}: {}{}", done.stdout, done.stderr);
    }
}

#[test]
#[ignore = "host ring: make check"]
fn the_executor_killed_at_any_system_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed");
    let victim = host.declare_shell("victim", VICTIM, PATIENT);
    let options = format!("-e trace=!{MEMORY}");
    let last = calls(&host, &options);
    let steps = random.steps(last, 40);
    killed_at(&host, "executor", &format!("-e inject=!{MEMORY}"), &steps);
    drop(victim);
    host.run("rm -r /etc/systemd/system/container@victim.service.d; systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn the_container_s_process_killed_at_any_step_of_its_set_up_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("newborn");
    let _victim = host.declare_shell("victim", VICTIM, PATIENT);
    // Each process is counted for itself: killed is the one that gets there first.
    let last = calls(&host, &format!("-f -e trace={INSIDE}"));
    let steps = random.steps(last, 20);
    killed_at(&host, "both sides", &format!("-f -e inject={INSIDE}"), &steps);
}

#[test]
#[ignore = "host ring: make check"]
fn a_stop_post_killed_at_any_call_is_made_good_by_the_next_start_and_stop() {
    let mut random = Random::seeded();
    let host = surveyed("stop-post");
    let _victim = host.declare_shell("victim", VICTIM, PATIENT);
    let steps = random.steps(90, 12);
    for step in steps {
        let script = format!(
            "mkdir -p /etc/systemd/system/container@victim.service.d
            printf '[Service]\\nExecStopPost=\\nExecStopPost=-/usr/bin/strace -D -qq -o /dev/null -e inject=!{MEMORY}:signal=KILL:when={step} /usr/lib/berth/berth-executor stop-post victim\\n' >/etc/systemd/system/container@victim.service.d/strace.conf
            systemctl daemon-reload
            systemctl start container@victim && systemctl stop container@victim
            rm /etc/systemd/system/container@victim.service.d/strace.conf; systemctl daemon-reload
            systemctl reset-failed container@victim 2>/dev/null
            systemctl start container@victim && systemctl stop container@victim && unchanged /run/census || {{ echo step {step}; exit 1; }}"
        );
        run(&host, &script);
    }
}

#[test]
#[ignore = "host ring: make check"]
fn berthctl_run_killed_at_any_moment_leaves_nothing_once_its_unit_has_ended() {
    let mut random = Random::seeded();
    let host = surveyed("run-killed");
    for turn in 0..counts(300, 25) {
        let delay = random.below(160);
        let flag = if turn % 3 == 0 { "-d" } else { "" };
        let script = format!(
            "berthctl run {flag} --name mayfly --rootfs {BUSYBOX} -- sleep 1000 >/dev/null 2>&1 & command=$!
            sleep 0.{delay:03}; kill -9 $command; wait $command 2>/dev/null
            for attempt in {{1..100}}; do
                systemctl stop berth-run-mayfly.service 2>/dev/null
                systemctl reset-failed berth-run-mayfly.service 2>/dev/null
                [[ $(systemctl list-units --all --no-legend 'berth-run-*') ]] || break
            done
            # Killed before there was a unit, it leaves its reservation to the next of that name.
            berthctl run --name mayfly --rootfs {BUSYBOX} -- true || exit 1
            unchanged /run/census || {{ echo after {delay} ms; exit 1; }}"
        );
        run(&host, &script);
    }
}

/// Writes `/srv/image.tar`, as `docker save` does, with some megabytes in it.
pub fn write_image(host: &Host) {
    host.write("/srv/layers.py", include_str!("../../bench/layers.py"));
    host.run("python3 /srv/layers.py /srv/image.tar").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn an_import_killed_at_any_moment_leaves_what_the_next_one_clears_up() {
    let mut random = Random::seeded();
    let host = surveyed("import-killed");
    write_image(&host);
    let taken = host
        .run("date +%s%N; berthctl image import /srv/image.tar five >/dev/null; date +%s%N; berthctl image list")
        .ok();
    let times: Vec<u64> = taken.lines().filter_map(|line| line.parse().ok()).collect();
    let milliseconds = ((times[1] - times[0]) / 1_000_000) as u32 + 20;
    run(&host, "berthctl image remove five && find /var/lib/berth -printf '%y %P\n' | sort >/run/store");
    for _ in 0..counts(300, 25) {
        let delay = random.below(milliseconds);
        let script = format!(
            "berthctl image import /srv/image.tar five >/dev/null 2>&1 & command=$!
            sleep {}.{:03}; kill -9 $command; wait $command 2>/dev/null
            berthctl image list >/dev/null || exit 1
            # Named or not there at all: what is named runs.
            if berthctl image list | grep -q five; then berthctl run five true || exit 1; fi
            berthctl image import /srv/image.tar five >/dev/null && berthctl run five cat /etc/release || exit 1
            berthctl image remove five >/dev/null && berthctl image list | grep -c five
            find /var/lib/berth -printf '%y %P\n' | sort | diff /run/store - || {{ echo after {delay} ms; exit 1; }}",
            delay / 1000,
            delay % 1000
        );
        let seen = run(&host, &script);
        assert!(seen.starts_with("layer 4"), "{seen}");
    }
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn the_generator_killed_at_any_call_leaves_no_half_a_drop_in() {
    let mut random = Random::seeded();
    let host = Host::boot("generator");
    for name in ["one", "two", "three"] {
        host.write(&format!("/etc/berth/containers/{name}.toml"), &toml(BUSYBOX, VICTIM, "exit 0"));
    }
    let generator = "/usr/lib/systemd/system-generators/berth-generator";
    let whole = "mkdir -p /run/whole/{n,e,l}; strace -qq -o /run/trace ";
    let last = host.run(&format!("{whole} {generator} /run/whole/n /run/whole/e /run/whole/l; wc -l </run/trace")).ok();
    for step in random.steps(last.trim().parse().unwrap(), 25) {
        let script = format!(
            "rm -rf /run/half; mkdir -p /run/half/{{n,e,l}}
            strace -qq -o /dev/null -e inject=all:signal=KILL:when={step} {generator} /run/half/n /run/half/e /run/half/l
            cd /run/half; find . -name '*.conf' -type f | while read -r file; do cmp $file /run/whole/$file || exit 1; done"
        );
        let compared = host.run(&script);
        assert_eq!(compared.code, Some(0), "call {step}: {}{}", compared.stdout, compared.stderr);
    }
}
