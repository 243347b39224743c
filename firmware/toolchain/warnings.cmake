# Warnings are errors everywhere; release builds are hardened.
add_library(nightdrop_warnings INTERFACE)
target_compile_options(nightdrop_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Werror)
# C's compound initialisers in library headers aside, a missing field is meant: our structs have defaults.
target_compile_options(nightdrop_warnings INTERFACE -Wno-missing-field-initializers)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fPIE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    add_compile_options(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
    add_compile_options(-mbranch-protection=standard)
  endif()
  add_compile_definitions(_FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Release is -O2: a reader has little cache. At both levels GCC 12 warns of overruns inside its own std::string and
# std::vector that are not there (GCC bugs 105329, 105651); the dev and sanitizer builds keep these warnings as errors.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(nightdrop_warnings INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endif()

# Assertions stay on in release (a bug stops the process, the queue is whole): no NDEBUG.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
if(NIGHTDROP_RELEASE_KEYS)
  add_compile_definitions(NIGHTDROP_RELEASE_KEYS)
endif()
