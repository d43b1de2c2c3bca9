#include "execute/rates.h"

#include "execute/executor.h"

namespace lopt {

std::vector<double> rates_of(const Rate& rate, std::int64_t num_steps) {
  const Tensor iteration = make_input("iteration", {DType::int32, {}});
  UpdateContext context;
  context.iteration = iteration;
  context.num_steps = num_steps;
  const Executable program = compile(make_program("rate", {iteration}, {broadcast_to(rate.at(context), {})}));
  std::vector<double> rates;
  for (std::int64_t step = 0; step < num_steps; ++step) {
    const Array at = Array::scalar(static_cast<std::int32_t>(step));
    rates.push_back(static_cast<double>(program.run(std::vector<Array>{at})[0].item<float>()));
  }
  return rates;
}

}  // namespace lopt
