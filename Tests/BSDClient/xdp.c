// A program that means AF_XDP by 44: what every one of them does first.
#include "client.h"

#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>

static int open_xdp(void) {
  int s = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (s < 0) fail("socket");
  return s;
}

static void set(int s, int option, const void *value, socklen_t size, const char *what) {
  if (setsockopt(s, SOL_XDP, option, value, size) != 0) fail(what);
}

int xdp(void) {
  enum { frames = 64, frame_size = 4096 };
  int s = open_xdp(), ring = frames, domain = 0;
  void *memory = mmap(NULL, frames * frame_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct xdp_umem_reg registration = {.addr = (uintptr_t)memory, .len = frames * frame_size, .chunk_size = frame_size};
  set(s, XDP_UMEM_REG, &registration, sizeof registration, "XDP_UMEM_REG");
  set(s, XDP_UMEM_FILL_RING, &ring, sizeof ring, "XDP_UMEM_FILL_RING");
  set(s, XDP_UMEM_COMPLETION_RING, &ring, sizeof ring, "XDP_UMEM_COMPLETION_RING");
  set(s, XDP_RX_RING, &ring, sizeof ring, "XDP_RX_RING");
  struct xdp_mmap_offsets offsets;
  socklen_t size = sizeof offsets;
  if (getsockopt(s, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0) fail("XDP_MMAP_OFFSETS");
  size_t length = offsets.rx.desc + frames * sizeof(struct xdp_desc);
  if (mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, s, XDP_PGOFF_RX_RING) == MAP_FAILED) fail("mmap");
  struct sockaddr_xdp name = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = if_nametoindex("em0")};
  if (bind(s, (struct sockaddr *)&name, sizeof name) != 0) fail("bind");
  size = sizeof domain;
  if (getsockopt(s, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_XDP) fail("SO_DOMAIN");

  // Without an option, bind is the first to show what is meant: the kernel's own answer to a socket without memory.
  int other = open_xdp();
  if (bind(other, (struct sockaddr *)&name, sizeof name) == 0 || errno != EINVAL) fail("bind without memory");
  puts("AF_XDP");
  return 0;
}
