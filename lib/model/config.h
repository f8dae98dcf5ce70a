// config.json of the networks -> what lib/nets takes.
#ifndef EBB_MODEL_CONFIG_H
#define EBB_MODEL_CONFIG_H

#include "model/json.h"
#include "nets/autoencoder_kl.h"
#include "nets/classifier.h"
#include "nets/unet2d.h"

// Class defaults for what is missing; a value we do not have is refused with file, key and value.
enum ebb_result ebb_config_unet(struct ebb_json_file *file, struct ebb_unet_config *config);
enum ebb_result ebb_config_autoencoder(struct ebb_json_file *file, struct ebb_autoencoder_config *config);
enum ebb_result ebb_config_classifier(struct ebb_json_file *file, struct ebb_classifier_config *config);

#endif
