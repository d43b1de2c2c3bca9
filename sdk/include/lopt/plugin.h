#pragma once
// What a plugin includes. A plugin is a shared library that exports one C symbol, its manifest; the loader reads and
// compares the manifest before any C++ of the plugin runs.

#include <lopt/dataset.h>
#include <lopt/estimator.h>
#include <lopt/optimizer.h>
#include <lopt/settings.h>
#include <lopt/task.h>

#include <cstring>
#include <exception>

extern "C" {

/// One component of a plugin.
struct lopt_component {
  const char* kind;     // "optimizer", "task", …
  const char* name;     // by which specs call it: [a-z0-9_]+
  const char* summary;  // one line
  const char* paper;    // where it was published, or ""
  const char* licence;
  const char* url;
  const char* version;
  /// Makes an object of the component's kind (its base class) from lopt::Settings. Returns 0 and the object, or another
  /// number and a message. Throws nothing.
  int (*create)(void* settings, void** object, char* message, size_t message_size);
  void (*destroy)(void* object);
};

/// What a plugin exports as the symbol `lopt_plugin_manifest`.
struct lopt_manifest {
  char magic[8];            // "lopt\0plg"
  uint32_t struct_size;     // sizeof(lopt_manifest)
  uint32_t api_version;     // LOPT_API_VERSION
  const char* fingerprint;  // of the compiler's ABI, the standard library and the SDK's layout
  uint32_t component_size;  // sizeof(lopt_component)
  uint32_t component_count;
  const lopt_component* components;
};
}

namespace lopt {

/// Plugins of another API version are refused.
inline constexpr std::uint32_t api_version = 1;
inline constexpr char manifest_magic[8] = {'l', 'o', 'p', 't', '\0', 'p', 'l', 'g'};
inline constexpr const char* manifest_symbol = "lopt_plugin_manifest";

// What must agree between the runner's build and a plugin's for C++ objects to pass between them.
#define LOPT_TEXT_(x) #x
#define LOPT_TEXT(x) LOPT_TEXT_(x)
#if defined(__SANITIZE_ADDRESS__)
#define LOPT_SANITIZER_ "+asan"
#else
#define LOPT_SANITIZER_ ""
#endif
inline constexpr const char* fingerprint = "c++abi-" LOPT_TEXT(__GXX_ABI_VERSION) " libstdc++-cxx11-" LOPT_TEXT(
    _GLIBCXX_USE_CXX11_ABI) " sdk-1" LOPT_SANITIZER_;

/// What a component says of itself beside its name.
struct About {
  const char* summary = "";
  const char* paper = "";
  const char* licence = "Apache-2.0";
  const char* url = "";
  const char* version = "0.1";
};

namespace detail {
template <class Base, class Component>
int create(void* settings, void** object, char* message, size_t message_size) {
  try {
    *object = static_cast<Base*>(new Component(*static_cast<Settings*>(settings)));
    return 0;
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), message_size - 1);
  } catch (...) {
    std::strncpy(message, "an exception that is no std::exception", message_size - 1);
  }
  message[message_size - 1] = '\0';
  return 1;
}
template <class Base>
void destroy(void* object) {
  delete static_cast<Base*>(object);
}
template <class Component>
auto base_of() {
  if constexpr (std::is_base_of_v<Task, Component>)
    return std::type_identity<Task>{};
  else if constexpr (std::is_base_of_v<TaskFamily, Component>)
    return std::type_identity<TaskFamily>{};
  else if constexpr (std::is_base_of_v<Optimizer, Component>)
    return std::type_identity<Optimizer>{};
  else if constexpr (std::is_base_of_v<LearnedOptimizer, Component>)
    return std::type_identity<LearnedOptimizer>{};
  else if constexpr (std::is_base_of_v<GradientEstimator, Component>)
    return std::type_identity<GradientEstimator>{};
  else {
    static_assert(std::is_base_of_v<Dataset, Component>, "a component derives from one of lopt's interfaces");
    return std::type_identity<Dataset>{};
  }
}
}  // namespace detail

/// The table row of a component.
template <class Component>
constexpr lopt_component component(const char* name, const About& about = {}) {
  using Base = typename decltype(detail::base_of<Component>())::type;
  return {Base::kind,
          name,
          about.summary,
          about.paper,
          about.licence,
          about.url,
          about.version,
          &detail::create<Base, Component>,
          &detail::destroy<Base>};
}

template <std::size_t count>
constexpr lopt_manifest manifest(const lopt_component (&components)[count]) {
  lopt_manifest result{{}, sizeof(lopt_manifest), api_version, fingerprint, sizeof(lopt_component), count, components};
  for (int i = 0; i < 8; ++i) result.magic[i] = manifest_magic[i];
  return result;
}

}  // namespace lopt

/// Makes a library a plugin of one component: LOPT_PLUGIN(Momentum, "momentum", {.summary = "…", .paper = "…"}).
#define LOPT_PLUGIN(Component, ...)                                                              \
  static constexpr lopt_component lopt_components[] = {lopt::component<Component>(__VA_ARGS__)}; \
  extern "C" __attribute__((visibility("default"))) const lopt_manifest lopt_plugin_manifest;    \
  extern "C" constexpr lopt_manifest lopt_plugin_manifest = lopt::manifest(lopt_components);
