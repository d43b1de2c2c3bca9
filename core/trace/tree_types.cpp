// The trees that lopt/tree.h says are compiled here.
#include <lopt/tree.h>

namespace lopt {

template class BasicTree<Tensor>;
template class BasicTree<Array>;
template class BasicTree<Type>;

}  // namespace lopt
