// libdivert-preload: programs written for BSD's divert sockets, run as they are.
//
// What a program asks of a divert socket goes to libdivert, everything else to where it would have gone. select, poll,
// epoll, timeouts, fork, connect, listen and accept are the kernel's own for divert sockets, too: they are not here.
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <divert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "../core/descriptors.h"
#include "next.h"

// Not in every C library's headers.
int pidfd_getfd(int process, int descriptor, unsigned flags);
int close_range(unsigned first, unsigned last, int flags);
_Noreturn void __chk_fail(void);

#define declare(name) static __typeof__(&name) next(name);
every_next_function(declare)

#define find(name) next(name) = (__typeof__(next(name)))dlsym(RTLD_NEXT, #name);
__attribute__((constructor(101))) static void find_all(void) { every_next_function(find) }

static int refuse(int code) {
  errno = code;
  return -1;
}

static int arrived(int descriptor) {
  if (descriptor >= 0) descriptor_forget(descriptor);
  return descriptor;
}

// MARK: Making sockets

int socket(int domain, int type, int protocol) {
  bool diverts = (domain == PF_INET && (protocol == 254 || protocol == IPPROTO_DIVERT)) ||
                 (domain == PF_DIVERT && protocol == 0);
  if (diverts && (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_RAW)
    return arrived(divert_socket(domain, type, protocol));
  int other = forward(socket, domain, type, protocol);
  if (other >= 0) descriptor_set_other(other);
  return other;
}

// 44 is also AF_XDP. The first call with which a program shows that it means that one puts a real one in the place of
// the divert socket that it was given.
enum { sol_xdp = 283 };

__attribute__((noinline)) static bool may_be_divert(int descriptor) {
  uint16_t slot;
  return descriptor_is_divert(descriptor, &slot);
}

// Calls on other descriptors end in a jump to where they go, and so cost next to nothing (`make bench-preload`): one
// return more behind a system call is ten nanoseconds. Clang makes no jump of it where a variable's address is taken.
static inline bool is_divert(int descriptor) {
  return __builtin_expect(!descriptor_is_known_other(descriptor), 0) && may_be_divert(descriptor);
}

static int becomes_xdp(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (divert_getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != PF_DIVERT) return 0;
  int closing = (int)syscall(SYS_fcntl, descriptor, F_GETFD) & FD_CLOEXEC ? SOCK_CLOEXEC : 0;
  int flags = (int)syscall(SYS_fcntl, descriptor, F_GETFL);
  int real = (int)syscall(SYS_socket, PF_DIVERT, SOCK_RAW | closing, 0);
  if (real < 0) return -1;
  syscall(SYS_fcntl, real, F_SETFL, flags);
  descriptors_begin_close((unsigned)descriptor, (unsigned)descriptor);
  int result = (int)syscall(SYS_dup3, real, descriptor, closing ? O_CLOEXEC : 0);
  int code = errno;
  syscall(SYS_close, real);
  descriptor_forget(descriptor);
  errno = code;
  return result < 0 ? -1 : 0;
}

int bind(int descriptor, const struct sockaddr *address, socklen_t length) {
  if (!is_divert(descriptor)) return forward(bind, descriptor, address, length);
  if (length < sizeof address->sa_family || address->sa_family != PF_DIVERT)
    return divert_bind(descriptor, address, length);
  if (becomes_xdp(descriptor) != 0) return -1;
  return is_divert(descriptor) ? refuse(EAFNOSUPPORT) : forward(bind, descriptor, address, length);
}

int shutdown(int descriptor, int how) {
  return is_divert(descriptor) ? refuse(ENOTCONN) : forward(shutdown, descriptor, how);
}

int getsockname(int descriptor, struct sockaddr *address, socklen_t *length) {
  return is_divert(descriptor) ? divert_getsockname(descriptor, address, length)
                               : forward(getsockname, descriptor, address, length);
}

int getpeername(int descriptor, struct sockaddr *address, socklen_t *length) {
  return is_divert(descriptor) ? refuse(ENOTCONN) : forward(getpeername, descriptor, address, length);
}

// MARK: Options

int getsockopt(int descriptor, int level, int option, void *value, socklen_t *length) {
  if (!is_divert(descriptor)) return forward(getsockopt, descriptor, level, option, value, length);
  if (level == sol_xdp && becomes_xdp(descriptor) != 0) return -1;
  return is_divert(descriptor) ? divert_getsockopt(descriptor, level, option, value, length)
                               : forward(getsockopt, descriptor, level, option, value, length);
}

int setsockopt(int descriptor, int level, int option, const void *value, socklen_t length) {
  if (!is_divert(descriptor)) return forward(setsockopt, descriptor, level, option, value, length);
  if (level == sol_xdp && becomes_xdp(descriptor) != 0) return -1;
  return is_divert(descriptor) ? divert_setsockopt(descriptor, level, option, value, length)
                               : forward(setsockopt, descriptor, level, option, value, length);
}

// The next packet's size: the kernel speaks of its frame, with the link's header and perhaps padded. Where it says that
// nothing waits, it is not asked further: a read would take the error that may be pending.
static int waiting(int descriptor) {
  int code = errno, frame = 0;
  if (syscall(SYS_ioctl, descriptor, FIONREAD, &frame) != 0 || frame == 0) return 0;
  ssize_t size = divert_recvfrom(descriptor, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT, NULL, NULL);
  errno = code;
  return size > 0 ? (int)size : 0;
}

int ioctl(int descriptor, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if ((request != FIONREAD && request != SIOCATMARK) || !is_divert(descriptor))
    return forward(ioctl, descriptor, request, argument);
  // No urgent data ever comes, which a packet socket has no answer for.
  *(int *)argument = request == FIONREAD ? waiting(descriptor) : 0;
  return 0;
}

// MARK: Reading

ssize_t recvfrom(int descriptor, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length) {
  return is_divert(descriptor) ? divert_recvfrom(descriptor, buffer, size, flags, address, length)
                               : forward(recvfrom, descriptor, buffer, size, flags, address, length);
}

ssize_t recv(int descriptor, void *buffer, size_t size, int flags) {
  return recvfrom(descriptor, buffer, size, flags, NULL, NULL);
}

ssize_t read(int descriptor, void *buffer, size_t size) {
  if (!is_divert(descriptor)) return forward(read, descriptor, buffer, size);
  // Reading nothing takes no packet and waits for none, on Linux and on BSD; receiving nothing does.
  return size > 0 ? divert_recvfrom(descriptor, buffer, size, 0, NULL, NULL) : 0;
}

ssize_t readv(int descriptor, const struct iovec *vector, int count) {
  if (!is_divert(descriptor)) return forward(readv, descriptor, vector, count);
  if (count < 0 || count > IOV_MAX) return refuse(EINVAL);
  struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
  for (int i = 0; i < count; i++)
    if (vector[i].iov_len > 0) return divert_recvmsg(descriptor, &message, 0);
  return 0;
}

// Descriptors that came along may be divert sockets, under numbers that were something else before.
static void forget_received(struct msghdr *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int number;
      memcpy(&number, CMSG_DATA(part) + at, sizeof number);
      descriptor_forget(number);
    }
  }
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags) {
  if (is_divert(descriptor)) return divert_recvmsg(descriptor, message, flags);
  ssize_t count = forward(recvmsg, descriptor, message, flags);
  if (count >= 0 && message->msg_controllen > 0) forget_received(message);
  return count;
}

static bool has_passed(const struct timespec *timeout, const struct timespec *since) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  bool borrows = now.tv_nsec < since->tv_nsec;
  time_t seconds = now.tv_sec - since->tv_sec - borrows;
  long nanoseconds = now.tv_nsec - since->tv_nsec + (borrows ? 1000000000 : 0);
  return seconds > timeout->tv_sec || (seconds == timeout->tv_sec && nanoseconds >= timeout->tv_nsec);
}

// The time is looked at between packets only (recvmmsg(2), BUGS).
static int receive_until(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
                         const struct timespec *timeout) {
  struct timespec start;
  if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000) return refuse(EINVAL);
  clock_gettime(CLOCK_MONOTONIC, &start);
  unsigned done = 0;
  while (done < count) {
    if (divert_recvmmsg(descriptor, messages + done, 1, flags & ~MSG_WAITFORONE) < 0) break;
    done++;
    if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
    if (has_passed(timeout, &start)) break;
  }
  return done > 0 || count == 0 ? (int)done : -1;
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
  if (is_divert(descriptor))
    return timeout != NULL ? receive_until(descriptor, messages, count, flags, timeout)
                           : divert_recvmmsg(descriptor, messages, count, flags);
  int came = forward(recvmmsg, descriptor, messages, count, flags, timeout);
  for (int i = 0; i < came; i++)
    if (messages[i].msg_hdr.msg_controllen > 0) forget_received(&messages[i].msg_hdr);
  return came;
}

// What programs built with _FORTIFY_SOURCE call.

ssize_t __read_chk(int descriptor, void *buffer, size_t size, size_t room) {
  if (size > room) __chk_fail();
  return read(descriptor, buffer, size);
}

ssize_t __recv_chk(int descriptor, void *buffer, size_t size, size_t room, int flags) {
  if (size > room) __chk_fail();
  return recv(descriptor, buffer, size, flags);
}

ssize_t __recvfrom_chk(int descriptor, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                       socklen_t *length) {
  if (size > room) __chk_fail();
  return recvfrom(descriptor, buffer, size, flags, address, length);
}

// MARK: Writing

ssize_t sendto(int descriptor, const void *buffer, size_t size, int flags, const struct sockaddr *address,
               socklen_t length) {
  return is_divert(descriptor) ? divert_sendto(descriptor, buffer, size, flags, address, length)
                               : forward(sendto, descriptor, buffer, size, flags, address, length);
}

ssize_t send(int descriptor, const void *buffer, size_t size, int flags) {
  return sendto(descriptor, buffer, size, flags, NULL, 0);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
  return is_divert(descriptor) ? divert_sendmsg(descriptor, message, flags)
                               : forward(sendmsg, descriptor, message, flags);
}

int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags) {
  return is_divert(descriptor) ? divert_sendmmsg(descriptor, messages, count, flags)
                               : forward(sendmmsg, descriptor, messages, count, flags);
}

ssize_t write(int descriptor, const void *buffer, size_t size) {
  return is_divert(descriptor) ? refuse(EDESTADDRREQ) : forward(write, descriptor, buffer, size);
}

ssize_t writev(int descriptor, const struct iovec *vector, int count) {
  return is_divert(descriptor) ? refuse(EDESTADDRREQ) : forward(writev, descriptor, vector, count);
}

// MARK: Numbers that come and go

int close(int descriptor) {
  if (descriptor_is_known_other(descriptor)) return forward(close, descriptor);
  descriptors_begin_close((unsigned)descriptor, (unsigned)descriptor);
  int result = forward(close, descriptor);
  descriptors_end_close((unsigned)descriptor, (unsigned)descriptor);
  return result;
}

int close_range(unsigned first, unsigned last, int flags) {
  descriptors_begin_close(first, last);
  int result = forward(close_range, first, last, flags);
  descriptors_end_close(first, last);
  return result;
}

void closefrom(int first) { close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0); }

int dup(int descriptor) { return arrived(forward(dup, descriptor)); }

static int replace(int descriptor, int number, int flags, bool is_dup2) {
  descriptors_begin_close((unsigned)number, (unsigned)number);
  int result;
  if (!is_dup2) result = forward(dup3, descriptor, number, flags);
  else if (next(dup2)) result = next(dup2)(descriptor, number);
  else if (descriptor == number) result = (int)syscall(SYS_fcntl, descriptor, F_GETFD) < 0 ? -1 : number;
  else result = (int)syscall(SYS_dup3, descriptor, number, 0);
  descriptors_end_close((unsigned)number, (unsigned)number);
  return arrived(result);
}

int dup2(int descriptor, int number) { return replace(descriptor, number, 0, true); }
int dup3(int descriptor, int number, int flags) { return replace(descriptor, number, flags, false); }

int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  int result = forward(fcntl, descriptor, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? arrived(result) : result;
}

int fcntl64(int descriptor, int command, ...) __attribute__((alias("fcntl")));

int pidfd_getfd(int process, int descriptor, unsigned flags) {
  return arrived(forward(pidfd_getfd, process, descriptor, flags));
}

// The C library closes a stream's descriptor by itself: no answer is kept for it from now on.
FILE *fdopen(int descriptor, const char *mode) {
  if (next(fdopen) == NULL) find_all();
  if (is_divert(descriptor)) descriptors_begin_close((unsigned)descriptor, (unsigned)descriptor);
  return next(fdopen)(descriptor, mode);
}

// MARK: Older names

// The C library's own for the same, which old programs call (GLIBC_2.2.5).
#define also_called(old, name) extern __typeof__(name) old __attribute__((alias(#name)));
also_called(__read, read)
also_called(__write, write)
also_called(__send, send)
also_called(__close, close)
also_called(__fcntl, fcntl)
int __dup2(int descriptor, int number) { return dup2(descriptor, number); }
