#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

// A mass on a spring with friction, pushed by a force at each of `steps` steps of length h (semi-implicit Euler):
//   v ← v + h (force − stiffness·x − friction·v);  x ← x + h v.
// The simulator is plain C++: to lopt it is one primitive, forces [steps] → positions [steps].
struct Spring {
  std::size_t steps;
  float h = 0.1F, stiffness = 1, friction = 0.2F;

  void simulate(std::span<const float> force, std::span<float> position) const {
    float x = 0, v = 0;
    for (std::size_t i = 0; i < steps; ++i) {
      v += h * (force[i] - stiffness * x - friction * v);
      x += h * v;
      position[i] = x;
    }
  }

  /// The same backwards: d loss / d force from d loss / d position (the adjoint of the recurrence above).
  void adjoint(std::span<const float> dposition, std::span<float> dforce) const {
    float dx = 0, dv = 0;
    for (std::size_t i = steps; i-- > 0;) {
      dx += dposition[i];
      dv += h * dx;
      dforce[i] = h * dv;
      dx -= h * stiffness * dv;
      dv -= h * friction * dv;
    }
  }
};

class Simulation final : public HostPrimitive {
 public:
  explicit Simulation(Spring spring) : spring_(spring) {}
  std::string name() const override { return "spring"; }
  Shape shape(std::span<const Shape> inputs) const override {
    if (inputs[0] != Shape{static_cast<std::int64_t>(spring_.steps)})
      throw ShapeError("spring: " + to_text(inputs[0]) + ": a force for each step was expected");
    return inputs[0];
  }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    spring_.simulate(inputs[0], output);
  }
  std::vector<Tensor> vjp(const std::vector<Tensor>& x, const Tensor& y, const Tensor& dy) const override;

 private:
  Spring spring_;
};

class Adjoint final : public HostPrimitive {
 public:
  explicit Adjoint(Spring spring) : spring_(spring) {}
  std::string name() const override { return "spring_adjoint"; }
  Shape shape(std::span<const Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    spring_.adjoint(inputs[0], output);
  }
  // The simulation is linear, so the adjoint of the adjoint is the simulation.
  std::vector<Tensor> vjp(const std::vector<Tensor>&, const Tensor&, const Tensor& dy) const override {
    return {apply(std::make_shared<Simulation>(spring_), {dy})};
  }

 private:
  Spring spring_;
};

std::vector<Tensor> Simulation::vjp(const std::vector<Tensor>&, const Tensor&, const Tensor& dy) const {
  return {apply(std::make_shared<Adjoint>(spring_), {dy})};
}

}  // namespace

/// Find the forces that bring a mass on a spring to a place and keep it there: mean square distance over the second
/// half of the time, plus a price on force.
class SpringTask final : public Task {
 public:
  explicit SpringTask(Settings& s)
      : steps_(s.integer("steps", 50).between(2, 100000).unit("steps").doc("how long it is simulated")),
        target_(s.real("target", 1).between(-1e3, 1e3).doc("where the mass should be")),
        price_(s.real("price", 0.001).between(0, 1e3).doc("of a unit of squared force")),
        simulation_(std::make_shared<Simulation>(Spring{static_cast<std::size_t>(steps_)})) {}

  Tree init(Key key) const override { return {{"force", 0.1 * normal(key, {steps_})}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    const Tensor force = params["force"];
    const Tensor position = apply(simulation_, {force});
    const Tensor late = slice(position, {steps_ / 2}, {steps_});
    return mean(square(late - target_)) + price_ * mean(square(force));
  }

 private:
  int steps_;
  double target_, price_;
  std::shared_ptr<const Simulation> simulation_;
};

LOPT_PLUGIN(SpringTask, "spring", {.summary = "Forces that bring a mass on a spring to a place: a simulator as a task"})
