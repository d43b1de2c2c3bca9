#pragma once
// Where the steps of a program come from: noted only while somebody wants to know.

#include "trace/node.h"

#include <string>
#include <unordered_map>

namespace lopt {

/// Who described a step of a program.
struct Origin {
  std::string component;  // "learned optimizer 'celo2'"; empty outside of plugins
  std::string function;   // "update"
  Tensor derivative_of;   // the value whose vector-Jacobian product it is part of; empty: a forward step
};

/// While an object of this class lives, every step that this thread traces is noted in it. They do not nest.
class OriginNotes {
 public:
  OriginNotes();
  ~OriginNotes();
  OriginNotes(const OriginNotes&) = delete;
  OriginNotes& operator=(const OriginNotes&) = delete;

  /// Null for a step that was not traced meanwhile.
  const Origin* find(const Tensor& value) const;
  void note(const Tensor& value);
  /// The notes of this thread, or null.
  static OriginNotes* current();

 private:
  friend class DerivativeNote;
  struct Noted {
    Tensor value;  // kept, so that no other node takes its address
    Origin origin;
  };
  std::unordered_map<const Node*, Noted> notes_;
  Tensor deriving_;
};

/// What this thread traces until this goes out of scope is part of the derivative of `value`.
class DerivativeNote {
 public:
  explicit DerivativeNote(const Tensor& value);
  ~DerivativeNote();
  DerivativeNote(const DerivativeNote&) = delete;
  DerivativeNote& operator=(const DerivativeNote&) = delete;

 private:
  Tensor before_;
};

}  // namespace lopt
