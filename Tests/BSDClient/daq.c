// Snort's module for divert sockets as Debian builds it (package libdaq2), driven as snort drives it. Of its interface
// only what is called here is written down (data acquisition library, version 2).
#include "client.h"

#include <dlfcn.h>
#include <sys/time.h>

struct pair {
  const char *key, *value;
  struct pair *next;
};

struct configuration {
  const char *name;
  int snapshot_length;
  unsigned timeout;
  enum { inline_mode = 1 } mode;
  uint32_t flags;
  struct pair *values;
  char *extra;
};

struct header {
  struct timeval time;
  uint32_t captured, length;
};

typedef enum { verdict_pass, verdict_block } (*analysis)(void *user, const struct header *header, const uint8_t *packet);

struct module {
  uint32_t interface_version, version;
  const char *name;
  uint32_t type;
  int (*initialize)(const struct configuration *configuration, void **module, char *error, size_t size);
  int (*set_filter)(void *module, const char *filter);
  int (*start)(void *module);
  int (*acquire)(void *module, int count, analysis callback, void *meta, void *user);
  int (*inject)(void *module, const struct header *header, const uint8_t *packet, uint32_t length, int reverse);
  int (*breakloop)(void *module);
  int (*stop)(void *module);
  void (*shutdown)(void *module);
};

static int seen;

// Every second packet is blocked.
static int analyse(void *user, const struct header *header, const uint8_t *packet) {
  (void)user;
  int number = seen++;
  printf("%s %u %d\n", number % 2 ? "block" : "pass", header->length, packet[9]);
  fflush(stdout);
  return number % 2 ? verdict_block : verdict_pass;
}

int daq(const char *path, int port, int count) {
  void *library = dlopen(path, RTLD_NOW);
  struct module *module = library ? dlsym(library, "DAQ_MODULE_DATA") : NULL;
  if (!module) return fputs(dlerror(), stderr), 1;
  char text[8], error[256];
  snprintf(text, sizeof text, "%d", port);
  struct pair value = {"port", text, NULL};
  struct configuration configuration = {
      .name = "divert", .snapshot_length = 65535, .timeout = 10, .mode = inline_mode, .values = &value};
  void *handle;
  if (module->initialize(&configuration, &handle, error, sizeof error) != 0) return fprintf(stderr, "%s\n", error), 1;
  if (module->start(handle) != 0) fail("start");
  say_ready();
  while (seen < count) {
    if (module->acquire(handle, count - seen, (analysis)analyse, NULL, NULL) != 0) fail("acquire");
  }
  module->stop(handle);
  module->shutdown(handle);
  return 0;
}
