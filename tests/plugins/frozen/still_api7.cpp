// An optimizer as it was built for version 7 of the plugin API: its declarations as they were, and nothing of today's.
// It is never edited: it stands for the plugins of others, which were built before this runner was.
#include <cstddef>
#include <cstdint>

extern "C" {

struct lopt_component {
  const char* kind;
  const char* name;
  const char* summary;
  const char* paper;
  const char* licence;
  const char* url;
  const char* version;
  int (*create)(void* settings, void** object, char* message, std::size_t message_size);
  void (*destroy)(void* object);
};

struct lopt_manifest {
  char magic[8];
  std::uint32_t struct_size;
  std::uint32_t api_version;
  const char* fingerprint;
  std::uint32_t component_size;
  std::uint32_t component_count;
  const lopt_component* components;
};

int create_still(void*, void** object, char*, std::size_t) {
  *object = nullptr;
  return 0;
}
void destroy_still(void*) {}

constexpr lopt_component components[] = {{"optimizer", "still", "Leaves the parameters where they are", "",
                                          "Apache-2.0", "", "0.1", create_still, destroy_still}};

extern __attribute__((visibility("default"))) const lopt_manifest lopt_plugin_manifest;
const lopt_manifest lopt_plugin_manifest = {{'l', 'o', 'p', 't', '\0', 'p', 'l', 'g'},
                                            sizeof(lopt_manifest),
                                            7,
                                            "itanium-c++ libstdc++-cxx11-1 api-7 sdk-0",
                                            sizeof(lopt_component),
                                            1,
                                            components};
}
