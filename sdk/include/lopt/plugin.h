#pragma once
// What a plugin includes. A plugin is a shared library that exports one C symbol, its manifest; the loader reads and
// compares the manifest before any C++ of the plugin runs.

#include <lopt/dataset.h>
#include <lopt/estimator.h>
#include <lopt/features.h>
#include <lopt/matrices.h>
#include <lopt/networks.h>
#include <lopt/optimizer.h>
#include <lopt/primitive.h>
#include <lopt/rows.h>
#include <lopt/schedule.h>
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
inline constexpr std::uint32_t api_version = 8;
inline constexpr char manifest_magic[8] = {'l', 'o', 'p', 't', '\0', 'p', 'l', 'g'};
inline constexpr const char* manifest_symbol = "lopt_plugin_manifest";

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOPT_SANITIZED_
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LOPT_SANITIZED_
#endif

namespace detail {
/// "itanium-c++ libstdc++-cxx11-1 api-2 sdk-0123456789abcdef": what must agree between the runner's build and a
/// plugin's for C++ objects to pass between them. The last is made of the sizes of the SDK's types, which debug modes
/// of the standard library change.
struct Fingerprint {
  char text[96] = {};
  std::size_t length = 0;

  constexpr void add(std::string_view part) {
    for (char c : part) text[length++] = c;
  }
  constexpr void add_hexadecimal(std::uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4) text[length++] = "0123456789abcdef"[(number >> shift) & 15U];
  }
  constexpr Fingerprint() {
    static_assert(__GXX_ABI_VERSION >= 1002 && api_version < 10);
    add("itanium-c++");
    add(_GLIBCXX_USE_CXX11_ABI ? " libstdc++-cxx11-1" : " libstdc++-cxx11-0");
    add(" api-");
    text[length++] = static_cast<char>('0' + api_version);
    add(" sdk-");
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a
    for (std::size_t size :
         {sizeof(std::string), sizeof(Shape), sizeof(Array), sizeof(Tensor), sizeof(Tree), sizeof(Values),
          sizeof(InitContext), sizeof(UpdateContext), sizeof(Batches), sizeof(Lane), sizeof(LaneStart),
          sizeof(UnrollOptions), sizeof(Unrolled), sizeof(Estimate), sizeof(EstimatorState), sizeof(Declaration)})
      hash = (hash ^ size) * 1099511628211U;
    add_hexadecimal(hash);
#ifdef LOPT_SANITIZED_
    add(" asan");
#endif
  }
};
inline constexpr Fingerprint own_fingerprint;
}  // namespace detail
inline constexpr const char* fingerprint = detail::own_fingerprint.text;

/// What a component says of itself beside its name.
struct About {
  const char* summary = "";
  const char* paper = "";
  const char* licence = "Apache-2.0";
  const char* url = "";
  const char* version = "1.0";
};

namespace detail {
template <class Base, class Component>
int create(void* settings, void** object, char* message, size_t message_size) {
  try {
    *object = static_cast<Base*>(new Component(*static_cast<Settings*>(settings)));
    return 0;
  } catch (const std::invalid_argument& error) {  // settings that do not go together
    std::strncpy(message, error.what(), message_size - 1);
    message[message_size - 1] = '\0';
    return 2;
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
  else if constexpr (std::is_base_of_v<Schedule, Component>)
    return std::type_identity<Schedule>{};
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
