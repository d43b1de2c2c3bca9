// Ranks that speak MPI (Boost.MPI on Open MPI). A library of its own: only what mpirun starts loads it.
#include "estimate/communicator.h"

#include <boost/mpi.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

namespace lopt {
namespace {

namespace mpi = boost::mpi;
using Clock = std::chrono::steady_clock;

constexpr int tag = 1;
/// MPI counts in int: a longer message comes in pieces, of which the last is shorter than this.
constexpr std::size_t piece_size = std::size_t{1} << 30;
/// A receiver may be busy with others before it takes a message.
constexpr double patience_of_senders = 3;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator()
      : environment_(std::make_unique<mpi::environment>(mpi::threading::funneled, false)), last_(Clock::now()) {
    if (const char* text = std::getenv("LOPT_RANK_SECONDS")) patience_ = std::max(1.0, std::strtod(text, nullptr));
  }
  ~MpiCommunicator() override {
    // A rank that fails ends without a farewell: mpirun sees it, and ends the others.
    if (std::uncaught_exceptions() > 0) static_cast<void>(environment_.release());
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return world_.rank(); }
  int size() const override { return world_.size(); }
  Traffic traffic() const override { return traffic_; }

  void send(int to, std::span<const std::byte> bytes) override {
    begin_exchange();
    ++traffic_.messages;
    traffic_.bytes += bytes.size();
    for (bool more = true; more;) {
      const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), piece_size));
      bytes = bytes.subspan(piece.size());
      more = piece.size() == piece_size;
      mpi::request request =
          world_.isend(to, tag, reinterpret_cast<const char*>(piece.data()), static_cast<int>(piece.size()));
      wait([&] { return request.test().has_value(); }, to, patience_of_senders);
    }
    last_ = Clock::now();
  }

  std::vector<std::byte> receive(int from, double patience) override {
    begin_exchange();
    std::vector<std::byte> bytes;
    for (bool more = true; more;) {
      boost::optional<mpi::status> status;
      wait([&] { return (status = world_.iprobe(from, tag)).has_value(); }, from, patience);
      const auto size = static_cast<std::size_t>(status->count<char>().value());
      bytes.resize(bytes.size() + size);
      world_.recv(from, tag, reinterpret_cast<char*>(bytes.data() + bytes.size() - size), static_cast<int>(size));
      more = size == piece_size;
    }
    last_ = Clock::now();
    return bytes;
  }

 private:
  /// Others may need as long as this rank did, and some more.
  void begin_exchange() { own_seconds_ = std::max(own_seconds_, seconds_between(last_, Clock::now())); }

  void wait(const std::function<bool()>& is_done, int other, double patience) {
    const auto start = Clock::now();
    const double limit = patience * std::max(patience_, 5 * own_seconds_);
    while (!is_done()) {
      std::this_thread::yield();
      if (const double waited = seconds_between(start, Clock::now()); waited > limit) give_up(other, waited);
    }
    traffic_.waited += seconds_between(start, Clock::now());
  }

  /// A rank that hangs does not end when it is asked to; mpirun makes it.
  [[noreturn]] void give_up(int other, double seconds) const {
    fmt::print(stderr,
               "lopt-run: rank {} of {} has not answered rank {} for {:.0f} s: it was killed, or hangs. The job ends; "
               "the last checkpoint is good, and `lopt-run resume` goes on from it\n",
               other, size(), rank(), seconds);
    std::fflush(stderr);
    environment_->abort(1);
    std::_Exit(1);
  }

  std::unique_ptr<mpi::environment> environment_;
  mpi::communicator world_;
  double patience_ = 20;    // seconds
  double own_seconds_ = 0;  // the longest that this rank needed between two exchanges
  Clock::time_point last_;
  Traffic traffic_;
};

}  // namespace
}  // namespace lopt

extern "C" __attribute__((visibility("default"))) lopt::Communicator* lopt_mpi_communicator() {
  return new lopt::MpiCommunicator();
}
