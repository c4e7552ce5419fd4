# SPDX-License-Identifier: MPL-2.0
"""Spark, local[2]: the data frame interface, which runs in the JVM; Python only where a function is asked for."""
import contextlib
import os
import sys

TITLE = "Spark"
REQUIREMENTS = ["pyspark[sql]==4.3.0"]
PROGRAMS = ["java"]
SKIP = {"process": "runs functions; a process would be Python's subprocess"}
TASKS = {"noop": 2_000, "calls": 400_000}


@contextlib.contextmanager
def cluster(job):
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1", SPARK_LOCAL_DIRS=job.scratch)
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master("local[2]").appName("bench").config("spark.ui.enabled", "false")
             .config("spark.sql.shuffle.partitions", "8").config("spark.log.level", "ERROR")
             .config("spark.ui.showConsoleProgress", "false").getOrCreate())
    yield spark
    spark.stop()


def one(spark, job):
    assert len(spark.range(0, 1, 1, 1).collect()) == 1


def noop(spark, job):
    return spark.range(0, job.tasks, 1, job.tasks).count()


def calls(spark, job):
    return spark.sparkContext.range(job.tasks, numSlices=job.tasks // job.batch).map(lambda n: n).count()


def jsonl(spark, job):
    records = spark.read.schema("id long, name string, size long, section string, text string").json(job.inputs)
    records.filter(records["size"] > job.minimum).write.mode("append").json(job.out)


def wordcount(spark, job):
    from pyspark.sql.functions import col, explode, split
    words = spark.read.text(job.inputs).select(explode(split(col("value"), " ")).alias("w")).filter("w != ''")
    words.groupBy("w").count().withColumnRenamed("count", "n").write.mode("append").json(job.out)


def group_by(spark, job):
    from pyspark.sql.functions import array_sort, col, collect_list, concat_ws, size, struct
    rows = spark.read.schema("k string, n long, t string").json(job.inputs)
    groups = rows.groupBy("k").agg(array_sort(collect_list(struct("n", "t"))).alias("g"))
    groups.select("k", size("g").alias("n"), concat_ws("", col("g.t")).alias("t")).write.mode("append").json(job.out)
