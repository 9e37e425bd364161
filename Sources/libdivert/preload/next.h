#pragma once
// The functions that this library stands in front of. Until its constructor has run, since those of other libraries run
// before it, and allocators of programs' own call write(2), the kernel is called instead.
#include <sys/syscall.h>
#include <unistd.h>

#define next(name) next_##name
#define forward(name, ...) \
  (next(name) ? next(name)(__VA_ARGS__) : (__typeof__(name(__VA_ARGS__)))syscall(SYS_##name, __VA_ARGS__))

#define every_next_function(apply)                                                                           \
  apply(socket) apply(bind) apply(shutdown) apply(getsockname) apply(getpeername) apply(getsockopt)          \
  apply(setsockopt) apply(ioctl) apply(recvfrom) apply(recvmsg) apply(recvmmsg) apply(read) apply(readv)     \
  apply(sendto) apply(sendmsg) apply(sendmmsg) apply(write) apply(writev) apply(close) apply(dup) apply(dup2) \
  apply(dup3) apply(fcntl) apply(close_range) apply(pidfd_getfd) apply(fdopen)
