// `nightdrop-sim story`: Friday, 7:40 pm. A restaurant's evening with the real programs, told in the terminal, and then
// the proof: the acquirer's ledger against the reader's books.
#pragma once

#include <string>

namespace nightdrop::simulator {

struct StoryOptions {
  std::string directory;  // where the reader is made
  std::string programs;   // the folder with nightdropd, nightdrop, nightdrop-sim and nightdrop-provision
  bool fast{false};       // no pauses for the eye
  bool json{false};       // the proof as one JSON object on standard output, the story on standard error
  bool keep{false};       // say at the end how to go on by hand
  std::string sabotage;   // for tests: make one check see something false; empty: none
};

// Tells the story and checks it. Ensures: every process that it started has ended.
// Exit: 0 the proof holds; 1 it does not; 70 the story could not be told to its end.
int run_story(const StoryOptions& options);

}  // namespace nightdrop::simulator
