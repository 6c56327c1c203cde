// Included before everything else in fuzz builds. Cap'n Proto 0.9 leaves out `const char* == kj::StringPtr`
// for compilers with three-way comparison, but clang (since P2468) does not make it up from the reversed
// operator, so Cap'n Proto's own headers do not compile. Hiding the macro while kj/string.h is read brings
// the operators back.
#pragma once

#include <compare>
#include <cstring>
#include <initializer_list>
#include <utility>

#pragma push_macro("__cpp_impl_three_way_comparison")
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbuiltin-macro-redefined"
#undef __cpp_impl_three_way_comparison
#include <kj/string.h>
#pragma pop_macro("__cpp_impl_three_way_comparison")
#pragma clang diagnostic pop
