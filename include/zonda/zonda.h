/* SPDX-License-Identifier: MPL-2.0 */
/* Zonda: a distributed executor for dataset pipelines. Everything a driver program needs. */
#ifndef ZONDA_ZONDA_H
#define ZONDA_ZONDA_H

#include <zonda/cluster.h>
#include <zonda/dataset.h>
#include <zonda/error.h>
#include <zonda/function.h>
#include <zonda/log.h>
#include <zonda/profile.h>
#include <zonda/wide.h>

#endif
