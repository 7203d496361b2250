#pragma once
/// Where a training run stands.

#include <limits>
#include <string>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/train/history.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One tensor of what a run remembers besides: an optimizer's, an average's.
template <class T>
struct state_tensor {
  std::string name;  ///< "adam.m.conv1.weight"
  view<T> data;      ///< of the parameter's shape
};

/// With the weights, the optimizer's state, the averages if there are any, and the network's step counter this is all that a run
/// is: a trainer that is given them goes on bit for bit.
struct training_state {
  index_t first_epoch = 0;  ///< epochs the network had been trained before this run (`network::epochs`)
  index_t epoch = 0;        ///< epochs finished, those before this run included; decides order and augmentation of the next
  index_t batch = 0;        ///< batches done in the epoch under way
  index_t step = 0;         ///< optimizer steps of this run
  index_t total_steps = 0;  ///< planned length of the run and its schedule
  index_t skipped = 0;      ///< steps left out because a gradient was not finite
  index_t image_size = 0;   ///< of the epoch under way, where there is a `size_schedule`
  double loss_sum = 0, weight_sum = 0;  ///< over the images of the epoch under way: the mean loss is their quotient
  double correct = 0;                   ///< right answers among them (`task::correct`)
  index_t seen = 0;                     ///< images of the epoch under way
  double seconds = 0;                   ///< of training and validation so far
  double epoch_seconds = 0;             ///< of training in the epoch under way
  double best_score = std::numeric_limits<double>::infinity();  ///< smallest `task::score`: the validation loss unless set
  index_t best_epoch = 0;                                       ///< that has it; 0: none
  std::vector<std::vector<index_t>> best_confusion;             ///< of validation in that epoch; rows: true class
  bool time_planned = false;                                    ///< `total_steps` was chosen by a `time_limit`
  std::vector<epoch_record> history;
};

}  // namespace minicnn::inline MINICNN_ABI
