#include "trace/origin.h"

#include "registry/guard.h"

#include <algorithm>

namespace lopt {
namespace {

// One a thread, as tracing is: what is traced knows nothing of who looks on.
thread_local OriginNotes* current_notes = nullptr;

/// "the learned_optimizer 'celo2' (/usr/lib/celo2.so)" as a sentence has it: "learned optimizer 'celo2'".
std::string short_name(std::string component) {
  if (component.starts_with("the ")) component.erase(0, 4);
  component.erase(std::min(component.find(" ("), component.size()));
  const std::size_t quote = std::min(component.find('\''), component.size());
  std::replace(component.begin(), component.begin() + static_cast<std::ptrdiff_t>(quote), '_', ' ');
  return component;
}

}  // namespace

OriginNotes::OriginNotes() { current_notes = this; }
OriginNotes::~OriginNotes() { current_notes = nullptr; }
OriginNotes* OriginNotes::current() { return current_notes; }

const Origin* OriginNotes::find(const Tensor& value) const {
  const auto found = notes_.find(value.node().get());
  return found == notes_.end() ? nullptr : &found->second.origin;
}

void OriginNotes::note(const Tensor& value) {
  Origin origin;
  if (deriving_) {
    if (const Origin* forward = find(deriving_)) origin = *forward;
    origin.derivative_of = deriving_;
  } else if (const PluginCall* call = PluginCall::current()) {
    origin.component = short_name(call->component());
    origin.function = call->function();
    origin.function.erase(std::min(origin.function.find('('), origin.function.size()));
  }
  notes_.emplace(value.node().get(), Noted{value, std::move(origin)});
}

DerivativeNote::DerivativeNote(const Tensor& value) {
  if (!current_notes) return;
  before_ = current_notes->deriving_;
  current_notes->deriving_ = value;
}
DerivativeNote::~DerivativeNote() {
  if (current_notes) current_notes->deriving_ = before_;
}

}  // namespace lopt
