# Headers as Doxygen understands them: the comment below #pragma once is about the file, and its parser knows no nested inline
# namespaces.
2s,^///,/// @file\n///,
s/^namespace minicnn::inline MINICNN_ABI/namespace minicnn/
