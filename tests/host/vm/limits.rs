//! Limits of `[resources]` hold, from the start and when changed later.

use crate::ring::eventually;
use crate::vm::{PATIENT, vm};

#[test]
#[ignore = "vm ring: make check"]
fn a_payload_that_takes_more_than_memory_max_ends_by_oom_kill() {
    let rest = "[resources]\nMemoryMax = \"32M\"\nMemorySwapMax = 0\n";
    let container = vm().declare_shell("glutton", rest, "exec tail /dev/zero");
    vm().run("systemctl start container@glutton");
    container.ended();
    assert_eq!(container.show("Result"), "oom-kill");
}

#[test]
#[ignore = "vm ring: make check"]
fn a_child_killed_for_memory_stops_its_container() {
    let rest = "[resources]\nMemoryMax = \"32M\"\nMemorySwapMax = 0\n";
    let container = vm().declare_shell("glutton-child", rest, &format!("tail /dev/zero & {PATIENT}"));
    vm().run("systemctl start container@glutton-child");
    container.ended();
    assert_eq!(container.show("Result"), "oom-kill");
}

#[test]
#[ignore = "vm ring: make check"]
fn a_fork_bomb_stays_below_tasks_max_and_ends_with_its_container() {
    let rest = "[resources]\nTasksMax = 40\n";
    let container = vm().declare_shell("bomb", rest, "bomb() { sleep 1000 & bomb | bomb & }; bomb & exec sleep 1000");
    container.start();
    let group = container.with_payload("echo $group");
    eventually(|| {
        let refused = vm().run(&format!("awk '$1 == \"max\" {{ print $2 }}' {group}/pids.events")).stdout;
        if refused.trim().parse().is_ok_and(|count: u64| count > 0) {
            Ok(())
        } else {
            Err(format!("refused {refused}"))
        }
    });
    let tasks: u64 = vm().run(&format!("cat {group}/pids.current")).ok().parse().unwrap();
    assert!((1..=40).contains(&tasks), "{tasks} tasks");
    vm().run("systemctl kill -s KILL container@bomb; systemctl stop container@bomb").ok();
    vm().run(&format!("test -e {group}")).exits(1);
}

#[test]
#[ignore = "vm ring: make check"]
fn a_busy_loop_is_throttled_by_cpu_quota() {
    let rest = "[resources]\nCPUQuota = \"10%\"\n";
    let container = vm().declare_shell("busy", rest, "while :; do :; done");
    container.start();
    assert_eq!(container.with_payload("cat $group/cpu.max"), "10000 100000");
    eventually(|| {
        let throttled = container.with_payload("awk '$1 == \"nr_throttled\" { print $2 }' $group/cpu.stat");
        if throttled.parse().is_ok_and(|count: u64| count > 0) { Ok(()) } else { Err(format!("throttled {throttled}")) }
    });
}

#[test]
#[ignore = "vm ring: make check"]
fn set_property_limits_a_running_container_and_what_is_executed_in_it() {
    let container = vm().declare_shell("tuned", "[resources]\nMemoryMax = \"512M\"\nMemorySwapMax = 0\n", PATIENT);
    container.start();
    let pid = container.show("MainPID");
    assert_eq!(container.with_payload("cat $group/memory.max"), "536870912");
    vm().run("systemctl set-property --runtime container@tuned MemoryMax=32M TasksMax=50 CPUQuota=50%").ok();
    let limits = container.with_payload("cat $group/memory.max $group/pids.max $group/cpu.max");
    assert_eq!(limits, "33554432\n50\n50000 100000");
    assert_eq!(container.show("MainPID"), pid);
    vm().run("berthctl exec tuned -- tail /dev/zero").exits(137);
    container.ended();
    assert_eq!(container.show("Result"), "oom-kill");
}
