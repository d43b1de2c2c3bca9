// SIMD kernels of elementwise primitives, by the primitive's name. A primitive that is not here runs through its loop.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/functions-inl.h"
#include "kernels/kernels.h"
#include "kernels/vectors-inl.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
/// What goes from step to step, whatever its type.
template <std::size_t>
using Register = hn::Vec<Tag<float>>;

/// Reads one operand of a step.
template <class T, Source source>
class Operand {
 public:
  HWY_INLINE Operand(const ElementwiseStep& step, std::size_t k, std::size_t column, std::size_t row) {
    if constexpr (source != Source::previous)
      at_ = static_cast<const T*>(step.in[k]) + static_cast<std::ptrdiff_t>(column) * step.stride[k] +
            (source == Source::column ? row : 0);
  }
  /// Vector j of the strip.
  HWY_INLINE hn::Vec<Tag<T>> get(std::size_t j, Register<0> previous) const {
    const Tag<T> d;
    if constexpr (source == Source::previous) return hn::BitCast(d, previous);
    if constexpr (source == Source::column) return hn::LoadU(d, at_ + j * hn::Lanes(d));
    return hn::Set(d, *at_);
  }

 private:
  const T* at_ = nullptr;
};

/// Rows come in sixteens. Eight vectors are what a function's arguments have registers for.
constexpr std::size_t rows_at_least = 16, few_vectors = rows_at_least / hn::MaxLanes(Tag<float>()), most_vectors = 8;
/// What is left of long vectors runs in strips of half as many; of short ones, in few.
constexpr std::size_t half_vectors = wide ? most_vectors / 2 : few_vectors;

/// Steps on a strip of rows, sizeof…(j) vectors. Each ends with a jump to the next, so that no vector leaves its
/// register between them.
template <class Vectors>
struct Strip;
template <std::size_t... j>
struct Strip<std::index_sequence<j...>> {
  static constexpr std::size_t vectors = sizeof...(j);
  using Function = void (*)(const ElementwiseStep* step, std::size_t column, std::size_t row, Register<j>... previous);

  template <class T, class Out, auto f, Source a>
  static void step(const ElementwiseStep* step, std::size_t column, std::size_t row, Register<j>... previous) {
    const Operand<T, a> x(*step, 0, column, row);
    GoOn<Out>{step, column, row, f(Tag<T>(), x.get(j, previous))...};
  }
  template <class T, class Out, auto f, Source a, Source b>
  static void step(const ElementwiseStep* step, std::size_t column, std::size_t row, Register<j>... previous) {
    const Operand<T, a> x(*step, 0, column, row);
    const Operand<T, b> y(*step, 1, column, row);
    GoOn<Out>{step, column, row, f(Tag<T>(), x.get(j, previous), y.get(j, previous))...};
  }
  template <class T, class Out, auto f, Source a, Source b, Source c>
  static void step(const ElementwiseStep* step, std::size_t column, std::size_t row, Register<j>... previous) {
    const Operand<T, a> x(*step, 0, column, row);
    const Operand<T, b> y(*step, 1, column, row);
    const Operand<T, c> z(*step, 2, column, row);
    GoOn<Out>{step, column, row, f(Tag<T>(), x.get(j, previous), y.get(j, previous), z.get(j, previous))...};
  }
  static void end(const ElementwiseStep*, std::size_t, std::size_t, Register<j>...) {}

  static HWY_INLINE void run(const ElementwiseStep* first, std::size_t column, std::size_t row) {
    jump(first, column, row, static_cast<Register<j>>(hn::Zero(Tag<float>()))...);
  }

 private:
  /// Takes results in braces, so that what they are of is read from the first to the last: of what is read backwards no
  /// processor fetches the next ahead.
  template <class Out>
  struct GoOn {
    template <class... Results>
    HWY_INLINE GoOn(const ElementwiseStep* step, std::size_t column, std::size_t row, Results... results) {
      const Tag<Out> o;
      if (step->out) {
        Out* const to = static_cast<Out*>(step->out) + static_cast<std::ptrdiff_t>(column) * step->out_stride + row;
        if (HWY_UNLIKELY(step->streams) && reinterpret_cast<std::uintptr_t>(to) % sizeof(hn::Vec<Tag<Out>>) == 0)
          (hn::Stream(hn::BitCast(o, results), o, to + j * hn::Lanes(o)), ...);
        else
          (hn::StoreU(hn::BitCast(o, results), o, to + j * hn::Lanes(o)), ...);
      }
      jump(step + 1, column, row, hn::BitCast(Tag<float>(), results)...);
    }
  };
  static HWY_INLINE void jump(const ElementwiseStep* step, std::size_t column, std::size_t row,
                              Register<j>... previous) {
    const auto next = vectors == few_vectors ? step->few : vectors == most_vectors ? step->strip : step->half;
    return reinterpret_cast<Function>(next)(step, column, row, previous...);
  }
};
using Few = Strip<std::make_index_sequence<few_vectors>>;
using Half = Strip<std::make_index_sequence<half_vectors>>;
using Full = Strip<std::make_index_sequence<most_vectors>>;

struct Functions {
  Full::Function strip;
  Half::Function half;
  Few::Function few;
};
/// The functions of a primitive for operands from anywhere: source k is the k-th digit of the place, in threes.
template <class T, class Out, auto f, std::size_t arity>
struct Forms {
  static constexpr std::size_t count = arity == 1 ? 3 : arity == 2 ? 9 : 27;
  static constexpr Source source(std::size_t form, std::size_t k) {
    return static_cast<Source>((k == 0 ? form : k == 1 ? form / 3 : form / 9) % 3);
  }
  template <std::size_t form>
  static constexpr Functions functions() {
    return []<std::size_t... k>(std::index_sequence<k...>) {
      return Functions{Full::template step<T, Out, f, source(form, k)...>,
                       Half::template step<T, Out, f, source(form, k)...>,
                       Few::template step<T, Out, f, source(form, k)...>};
    }
    (std::make_index_sequence<arity>());
  }
  static constexpr auto all = []<std::size_t... form>(std::index_sequence<form...>) {
    return std::array<Functions, count>{functions<form>()...};
  }
  (std::make_index_sequence<count>());
};
template <class T, class Out, auto f>
constexpr std::span<const Functions> unary = Forms<T, Out, f, 1>::all;
template <class T, class Out, auto f>
constexpr std::span<const Functions> binary = Forms<T, Out, f, 2>::all;
template <class T, class Out, auto f>
constexpr std::span<const Functions> ternary = Forms<T, Out, f, 3>::all;

/// 1 where the mask is set.
template <class D, class M>
auto as_bool([[maybe_unused]] D d, M mask) {
  const hn::RebindToUnsigned<D> u;
  return hn::IfThenElseZero(hn::RebindMask(u, mask), hn::Set(u, 1U));
}

/// What is long stands once, and is called for each vector.
template <auto f, class D, class... Vs>
HWY_NOINLINE hn::Vec<D> called(D d, Vs... x) {
  return f(d, x...);
}

// One line a function: of the vector type and its operands.
constexpr auto negate = [](auto, auto x) { return hn::Neg(x); };
constexpr auto exp_ = [](auto d, auto x) { return exp(d, x); };
constexpr auto log_ = [](auto d, auto x) { return log(d, x); };
constexpr auto log1p_ = [](auto d, auto x) { return called<[](auto v, auto y) { return log1p(v, y); }>(d, x); };
constexpr auto tanh_ = [](auto d, auto x) { return tanh(d, x); };
constexpr auto sqrt = [](auto, auto x) { return hn::Sqrt(x); };
constexpr auto rsqrt = [](auto d, auto x) { return hn::Div(hn::Set(d, 1.0F), hn::Sqrt(x)); };
constexpr auto sigmoid_ = [](auto d, auto x) { return sigmoid(d, x); };
constexpr auto sin_ = [](auto d, auto x) { return called<[](auto v, auto y) { return sin(v, y); }>(d, x); };
constexpr auto cos_ = [](auto d, auto x) { return called<[](auto v, auto y) { return cos(v, y); }>(d, x); };
constexpr auto erf_ = [](auto d, auto x) { return called<[](auto v, auto y) { return erf(v, y); }>(d, x); };
constexpr auto power = [](auto d, auto a, auto b) {
  return called<[](auto v, auto x, auto y) { return pow(v, x, y); }>(d, a, b);
};
constexpr auto erf_inv_ = [](auto d, auto x) { return called<[](auto v, auto y) { return erf_inv(v, y); }>(d, x); };
constexpr auto floor = [](auto, auto x) { return hn::Floor(x); };
constexpr auto abs = [](auto, auto x) { return hn::Abs(x); };
constexpr auto relu = [](auto d, auto x) { return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x); };
constexpr auto sign = [](auto d, auto x) {
  return hn::IfThenElse(hn::Or(hn::Eq(x, hn::Zero(d)), hn::IsNaN(x)), x, hn::CopySign(hn::Set(d, 1.0F), x));
};
constexpr auto not_ = [](auto d, auto x) { return hn::Xor(x, hn::Set(d, 1U)); };
constexpr auto add = [](auto, auto a, auto b) { return hn::Add(a, b); };
constexpr auto subtract = [](auto, auto a, auto b) { return hn::Sub(a, b); };
constexpr auto multiply = [](auto, auto a, auto b) { return hn::Mul(a, b); };
constexpr auto divide = [](auto, auto a, auto b) { return hn::Div(a, b); };
constexpr auto maximum = [](auto d, auto a, auto b) { return larger(d, a, b); };
constexpr auto minimum = [](auto d, auto a, auto b) { return smaller(d, a, b); };
constexpr auto equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Eq(a, b)); };
// NaN differs from itself; hn::Ne says otherwise at some levels.
constexpr auto not_equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Not(hn::Eq(a, b))); };
constexpr auto less = [](auto d, auto a, auto b) { return as_bool(d, hn::Lt(a, b)); };
constexpr auto less_equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Or(hn::Lt(a, b), hn::Eq(a, b))); };
constexpr auto and_ = [](auto, auto a, auto b) { return hn::And(a, b); };
constexpr auto or_ = [](auto, auto a, auto b) { return hn::Or(a, b); };
constexpr auto xor_ = [](auto, auto a, auto b) { return hn::Xor(a, b); };
constexpr auto where_positive = [](auto d, auto condition, auto x) {
  return hn::IfThenElseZero(hn::Gt(condition, hn::Zero(d)), x);
};
constexpr auto strong_zero = [](auto d, auto cotangent, auto x) {
  return hn::IfThenZeroElse(hn::And(hn::Eq(cotangent, hn::Zero(d)), hn::IsNaN(x)), x);
};
constexpr auto clamp = [](auto, auto x, auto low, auto high) {
  return hn::IfThenElse(hn::Lt(x, low), low, hn::IfThenElse(hn::Gt(x, high), high, x));
};
constexpr auto choose = [](auto d, auto condition, auto a, auto b) {
  return hn::IfThenElse(hn::Ne(condition, hn::Zero(d)), a, b);
};
constexpr auto multiply_add = [](auto d, auto a, auto b, auto c) {
  if constexpr (fused) return hn::MulAdd(a, b, c);
  return by_element(
      d, [](float x, float y, float z) { return std::fma(x, y, z); }, a, b, c);
};
constexpr auto to_float = [](auto, auto x) { return hn::ConvertTo(Tag<float>(), x); };  // int32 and bool
constexpr auto same_bits = [](auto, auto x) { return x; };

/// None where there are none.
std::span<const Functions> forms_of(std::string_view name, DType dtype, DType result) {
  constexpr std::span<const Functions> none;
  using F = float;
  using I = std::int32_t;
  using U = std::uint32_t;
  struct Row {
    std::string_view name;
    std::span<const Functions> real, integer, word;  // float32; int32, often as words; uint32 and bool
  };
  static constexpr Row rows[] = {
      {"negate", unary<F, F, negate>, none, none},
      {"exp", unary<F, F, exp_>, none, none},
      {"log", unary<F, F, log_>, none, none},
      {"log1p", unary<F, F, log1p_>, none, none},
      {"tanh", unary<F, F, tanh_>, none, none},
      {"sqrt", unary<F, F, sqrt>, none, none},
      {"rsqrt", unary<F, F, rsqrt>, none, none},
      {"sigmoid", unary<F, F, sigmoid_>, none, none},
      {"sin", unary<F, F, sin_>, none, none},
      {"cos", unary<F, F, cos_>, none, none},
      {"erf", unary<F, F, erf_>, none, none},
      {"erf_inv", unary<F, F, erf_inv_>, none, none},
      {"floor", unary<F, F, floor>, none, none},
      {"abs", unary<F, F, abs>, none, none},
      {"relu", unary<F, F, relu>, none, none},
      {"sign", unary<F, F, sign>, none, none},
      {"not", none, none, unary<U, U, not_>},
      {"add", binary<F, F, add>, binary<U, U, add>, binary<U, U, add>},
      {"subtract", binary<F, F, subtract>, binary<U, U, subtract>, binary<U, U, subtract>},
      {"multiply", binary<F, F, multiply>, binary<U, U, multiply>, binary<U, U, multiply>},
      {"divide", binary<F, F, divide>, none, none},
      {"power", binary<F, F, power>, none, none},
      {"maximum", binary<F, F, maximum>, none, none},
      {"minimum", binary<F, F, minimum>, none, none},
      {"where_positive", binary<F, F, where_positive>, none, none},
      {"strong_zero", binary<F, F, strong_zero>, none, none},
      {"clamp", ternary<F, F, clamp>, none, none},
      {"equal", binary<F, U, equal>, binary<U, U, equal>, binary<U, U, equal>},
      {"not_equal", binary<F, U, not_equal>, binary<U, U, not_equal>, binary<U, U, not_equal>},
      {"less", binary<F, U, less>, binary<I, U, less>, binary<U, U, less>},
      {"less_equal", binary<F, U, less_equal>, binary<I, U, less_equal>, binary<U, U, less_equal>},
      {"and", none, binary<U, U, and_>, binary<U, U, and_>},
      {"or", none, binary<U, U, or_>, binary<U, U, or_>},
      {"xor", none, binary<U, U, xor_>, binary<U, U, xor_>},
      {"multiply_add", ternary<F, F, multiply_add>, none, none},
      {"select", ternary<U, U, choose>, ternary<U, U, choose>, ternary<U, U, choose>},
      {"bitcast", unary<U, U, same_bits>, unary<U, U, same_bits>, unary<U, U, same_bits>},
  };
  if (name == "convert")
    return result == DType::float32 && (dtype == DType::int32 || dtype == DType::boolean) ? unary<I, F, to_float>
                                                                                          : none;
  for (const Row& row : rows)
    if (row.name == name) return dtype == DType::float32 ? row.real : dtype == DType::int32 ? row.integer : row.word;
  return none;
}

bool find(ElementwiseStep& step, std::string_view name, DType dtype, DType result, std::span<const Source> sources) {
  std::size_t form = 0;
  for (std::size_t k = sources.size(); k-- > 0;) form = form * 3 + static_cast<std::size_t>(sources[k]);
  const std::span<const Functions> forms = forms_of(name, dtype, result);
  if (forms.empty()) return false;
  step.strip = reinterpret_cast<ElementwiseStep::Function>(forms[form].strip);
  step.half = reinterpret_cast<ElementwiseStep::Function>(forms[form].half);
  step.few = reinterpret_cast<ElementwiseStep::Function>(forms[form].few);
  return true;
}

void end(ElementwiseStep& step) {
  step.strip = reinterpret_cast<ElementwiseStep::Function>(Full::end);
  step.half = reinterpret_cast<ElementwiseStep::Function>(Half::end);
  step.few = reinterpret_cast<ElementwiseStep::Function>(Few::end);
}

void run(const Sequence& sequence, std::size_t rows) {
  std::size_t columns = sequence.columns;
  if (columns > 1 && sequence.pitch == static_cast<std::ptrdiff_t>(rows)) {
    rows *= columns;
    columns = 1;
  }
  const std::size_t strip_rows = Full::vectors * hn::Lanes(Tag<float>());
  for (std::size_t column = 0; column < columns; ++column) {
    std::size_t row = 0;
    for (; row + strip_rows <= rows; row += strip_rows) Full::run(sequence.steps, column, row);
    if constexpr (wide) {
      const std::size_t half_rows = Half::vectors * hn::Lanes(Tag<float>());
      if (row + half_rows <= rows) {
        Half::run(sequence.steps, column, row);
        row += half_rows;
      }
    }
    for (; row < rows; row += rows_at_least) Few::run(sequence.steps, column, row);
  }
  leave_vectors();
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(find);
bool find_elementwise(ElementwiseStep& step, std::string_view primitive, DType dtype, DType result,
                      std::span<const Source> sources) {
  return HWY_DYNAMIC_DISPATCH(find)(step, primitive, dtype, result, sources);
}
bool has_elementwise(std::string_view primitive, DType dtype, DType result) {
  ElementwiseStep step;
  return find_elementwise(step, primitive, dtype, result, {});
}
HWY_EXPORT(end);
void end_sequence(ElementwiseStep& step) { HWY_DYNAMIC_DISPATCH(end)(step); }
HWY_EXPORT(run);
void run_sequence(const Sequence& sequence, std::size_t rows) { HWY_DYNAMIC_DISPATCH(run)(sequence, rows); }
}  // namespace lopt::kernels
#endif
