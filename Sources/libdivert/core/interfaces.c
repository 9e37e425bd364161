#define _GNU_SOURCE
#include "interfaces.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Not by way of ioctl(): this library may be the one that answers that.
static int ask(int socket, unsigned long request, void *argument) {
  return (int)syscall(SYS_ioctl, socket, request, argument);
}

// MARK: Answers kept

enum question { ask_index = 1, ask_name, ask_address };

struct answer {
  uint64_t words[3];
};

// A slot holds the last answer to one of the questions that fall to it. `sequence` is odd while somebody writes; who
// meets that, a signal handler in the middle of it for instance, goes without.
static struct slot {
  atomic_uint sequence;
  _Atomic uint64_t question, key, until;
  _Atomic uint64_t words[3];
} slots[64];

static struct slot *slot_for(enum question question, uint64_t key) {
  return &slots[(key * 4 + question) * 0x9e3779b97f4a7c15u >> 58];
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static bool recall(enum question question, uint64_t key, struct answer *answer) {
  struct slot *slot = slot_for(question, key);
  unsigned sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
  if (sequence & 1) return false;
  bool fits = atomic_load_explicit(&slot->question, memory_order_relaxed) == question &&
              atomic_load_explicit(&slot->key, memory_order_relaxed) == key &&
              now() < atomic_load_explicit(&slot->until, memory_order_relaxed);
  for (int i = 0; i < 3; i++) answer->words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
  atomic_thread_fence(memory_order_acquire);
  return fits && atomic_load_explicit(&slot->sequence, memory_order_relaxed) == sequence;
}

static void keep(enum question question, uint64_t key, struct answer answer) {
  struct slot *slot = slot_for(question, key);
  unsigned sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
  if (sequence & 1) return;
  if (!atomic_compare_exchange_strong(&slot->sequence, &sequence, sequence + 1)) return;
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&slot->question, question, memory_order_relaxed);
  atomic_store_explicit(&slot->key, key, memory_order_relaxed);
  atomic_store_explicit(&slot->until, now() + 1000, memory_order_relaxed);
  for (int i = 0; i < 3; i++) atomic_store_explicit(&slot->words[i], answer.words[i], memory_order_relaxed);
  atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}

// MARK: Questions

// The first address of an interface, or whose interface an address is: addresses may carry labels (`eth0:1`).
static bool find_in_table(int socket, struct ifreq *all, int size, const char *name, uint32_t address,
                          struct ifreq *found) {
  struct ifconf table = {.ifc_len = size, .ifc_req = all};
  if (ask(socket, SIOCGIFCONF, &table) != 0) return false;
  for (int i = 0; i < table.ifc_len / (int)sizeof *all; i++) {
    all[i].ifr_name[strcspn(all[i].ifr_name, ":")] = 0;
    uint32_t candidate = ((struct sockaddr_in *)&all[i].ifr_addr)->sin_addr.s_addr;
    if (name ? strcmp(all[i].ifr_name, name) != 0 : candidate != address) continue;
    *found = all[i];
    return true;
  }
  return false;
}

// On the stack where the host has no more than some dozens of addresses, else on pages of its own, not by malloc.
static bool find_address(int socket, const char *name, uint32_t address, struct ifreq *found) {
  struct ifreq few[64];
  struct ifconf table = {0};
  if (ask(socket, SIOCGIFCONF, &table) != 0) return false; // tells the size that it would have
  if (table.ifc_len <= (int)sizeof few) return find_in_table(socket, few, sizeof few, name, address, found);
  int size = table.ifc_len + (int)sizeof few; // some may have come meanwhile
  void *all = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return false;
  bool is_found = find_in_table(socket, all, size, name, address, found);
  munmap(all, (size_t)size);
  return is_found;
}

struct interface interface_at(int socket, uint32_t index) {
  struct interface interface = {0};
  struct answer answer = {0};
  if (index == 0) return interface;
  if (!recall(ask_index, index, &answer)) {
    // A refusal is not kept: the socket may have been closed while its reader waited, and the number be another file's.
    struct ifreq request = {.ifr_ifindex = (int)index};
    if (ask(socket, SIOCGIFNAME, &request) != 0) return interface;
    memcpy(interface.name, request.ifr_name, sizeof interface.name - 1);
    if (ask(socket, SIOCGIFADDR, &request) == 0 || find_address(socket, interface.name, 0, &request))
      interface.first_address = ((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr;
    memcpy(answer.words, interface.name, sizeof interface.name);
    answer.words[2] = interface.first_address;
    keep(ask_index, index, answer);
  }
  memcpy(interface.name, answer.words, sizeof interface.name);
  interface.first_address = (uint32_t)answer.words[2];
  return interface;
}

uint32_t interface_named(int socket, const char *name) {
  struct answer answer = {0};
  uint64_t key = 0;
  memcpy(&key, name, strnlen(name, 7));
  if (!recall(ask_name, key, &answer)) {
    struct ifreq request = {0};
    memcpy(request.ifr_name, &key, sizeof key);
    if (ask(socket, SIOCGIFINDEX, &request) != 0) return 0;
    answer.words[0] = (uint32_t)request.ifr_ifindex;
    keep(ask_name, key, answer);
  }
  return (uint32_t)answer.words[0];
}

uint32_t interface_owning(int socket, uint32_t address) {
  struct answer answer = {0};
  if (!recall(ask_address, address, &answer)) {
    struct ifreq found;
    if (!find_address(socket, NULL, address, &found) || ask(socket, SIOCGIFINDEX, &found) != 0) return 0;
    answer.words[0] = (uint32_t)found.ifr_ifindex;
    keep(ask_address, address, answer);
  }
  return (uint32_t)answer.words[0];
}
