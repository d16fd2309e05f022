"""What is said of the runs of pipelines, judged and put into words."""
