#pragma once
// Kernel structures and the calls that Swift cannot import: variadic functions and macros. No logic.
#include <sys/types.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "messages.h"

/// bpf(2), which glibc does not wrap.
static inline int csystem_bpf(int command, void *attributes, unsigned size) {
  return (int)syscall(SYS_bpf, command, attributes, size);
}

/// ioctl(2) is variadic.
static inline int csystem_ioctl(int descriptor, unsigned long request, void *argument) {
  return ioctl(descriptor, request, argument);
}

/// setns(2) is hidden behind _GNU_SOURCE.
static inline int csystem_setns(int descriptor, int type) {
  return (int)syscall(SYS_setns, descriptor, type);
}

/// pipe2(2) is hidden behind _GNU_SOURCE.
static inline int csystem_pipe2(int ends[2], int flags) {
  return (int)syscall(SYS_pipe2, ends, flags);
}

/// Sends the calling thread a signal after so many nanoseconds, again and again (timer_create(2), SIGEV_THREAD_ID), until
/// the timer is deleted.
static inline int csystem_interrupt_this_thread(int signal, long nanoseconds, timer_t *timer) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  if (timer_create(CLOCK_MONOTONIC, &event, timer) != 0) return -1;
  struct itimerspec time = {.it_interval = {.tv_nsec = nanoseconds}, .it_value = {.tv_nsec = nanoseconds}};
  return timer_settime(*timer, 0, &time, NULL);
}

/// timerfd_create(2), whose header the module of glibc leaves out.
static inline int csystem_timerfd_create(int clock, int flags) { return timerfd_create(clock, flags); }

/// timerfd_settime(2): expires once, so far from now.
static inline int csystem_timerfd_start(int descriptor, long seconds, long nanoseconds) {
  struct itimerspec time = {.it_value = {.tv_sec = seconds, .tv_nsec = nanoseconds}};
  return timerfd_settime(descriptor, 0, &time, NULL);
}

/// The kind of file system that a path lies on (statfs(2), whose header the module of glibc leaves out); 0 for no path.
static inline unsigned csystem_file_system(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 ? (unsigned)status.f_type : 0;
}

/// pidfd_open(2) and pidfd_send_signal(2), which older glibcs do not wrap.
static inline int csystem_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }
static inline int csystem_pidfd_send_signal(int descriptor, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0);
}
