// Socket options as BSD has them for a divert socket; what is not here is the kernel's own.
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counts.h"
#include "descriptors.h"
#include "divert.h"
#include "mark.h"

// What BSD answers for the buffers' sizes while nobody has set them.
enum { bsd_default = 65536 + 100 };
// What the kernel says meanwhile: numbers that nobody sets, near those with which divertd hands a socket out.
enum { receive_default = 8 * 1024 * 1024 + 6, send_default = 2 * bsd_default + 6 };

static int set(int socket, int level, int option, const void *value, socklen_t length) {
  return (int)syscall(SYS_setsockopt, socket, level, option, value, length);
}

static int get(int socket, int level, int option, void *value, socklen_t *length) {
  return (int)syscall(SYS_getsockopt, socket, level, option, value, length);
}

static int refuse(int code) {
  errno = code;
  return -1;
}

// The kernel doubles what it is told (socket(7)).
static int set_buffer(int socket, int option, int size) {
  int forced = option == SO_RCVBUF ? SO_RCVBUFFORCE : SO_SNDBUFFORCE;
  if (set(socket, SOL_SOCKET, forced, &size, sizeof size) == 0) return 0;
  return set(socket, SOL_SOCKET, option, &size, sizeof size);
}

void options_begin(int socket) {
  set_buffer(socket, SO_RCVBUF, receive_default / 2);
  set_buffer(socket, SO_SNDBUF, send_default / 2);
}

static int get_buffer(int socket, int option) {
  int size = 0;
  socklen_t length = sizeof size;
  if (get(socket, SOL_SOCKET, option, &size, &length) != 0) return -1;
  return size == (option == SO_RCVBUF ? receive_default : send_default) ? bsd_default : size / 2;
}

int divert_getsockopt(int socket, int level, int option, void *value, socklen_t *length) {
  struct mark mark;
  int answer;
  if (level == SOL_SOCKET && option == SO_DOMAIN && mark_read(socket, &mark)) answer = mark.domain;
  else if (level == SOL_SOCKET && option == SO_PROTOCOL && mark_read(socket, &mark)) answer = mark.protocol;
  else if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_SNDBUF)) answer = get_buffer(socket, option);
  else if (level == SOL_SOCKET && (option == SO_USER_COOKIE || option == SO_REUSEPORT_LB)) answer = 0;
  else if (level == IPPROTO_IP && option == IP_HDRINCL) answer = 1;
  else if (level == IPPROTO_IP && option == IP_TTL) answer = 64;
  else if (level == IPPROTO_IP && option == IP_TOS) answer = 0;
  else return get(socket, level, option, value, length);
  memcpy(value, &answer, *length < sizeof answer ? *length : sizeof answer);
  if (*length > sizeof answer) *length = sizeof answer;
  return 0;
}

int divert_setsockopt(int socket, int level, int option, const void *value, socklen_t length) {
  if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_SNDBUF)) {
    int size;
    if (length < sizeof size) return refuse(EINVAL);
    memcpy(&size, value, sizeof size);
    return size > 0 ? set_buffer(socket, option, size) : refuse(EINVAL);
  }
  // Taken, and of no effect: a packet brings its own header, nothing looks at a cookie, and the kernel would refuse the
  // sharing of ports to a packet socket, of which bind tells better.
  if (level == SOL_SOCKET && (option == SO_USER_COOKIE || option == SO_REUSEPORT_LB || option == SO_REUSEPORT))
    return 0;
  if (level == IPPROTO_IP && (option == IP_HDRINCL || option == IP_TTL || option == IP_TOS)) return 0;
  if (level == IPPROTO_IP) return refuse(ENOPROTOOPT);
  return set(socket, level, option, value, length);
}

int divert_counters(int socket, struct divert_counters *counters) {
  uint32_t memory[SK_MEMINFO_VARS];
  socklen_t length = sizeof memory;
  if (get(socket, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0) return -1;
  uint16_t slot = counts_nowhere;
  if (!descriptor_is_divert(socket, &slot)) return refuse(ENOTSOCK);
  struct counts counts = counts_read(slot);
  *counters = (struct divert_counters){
      .dropped = memory[SK_MEMINFO_DROPS],
      .waiting = memory[SK_MEMINFO_RMEM_ALLOC],
      .incoming = counts.values[count_incoming],
      .outgoing = counts.values[count_outgoing],
      .bad_checksum = counts.values[count_bad_checksum],
  };
  for (int i = count_bad_frame; i <= count_denied; i++) counters->refused += counts.values[i];
  counters->refused += counts.values[count_no_multicast_interface];
  return 0;
}
