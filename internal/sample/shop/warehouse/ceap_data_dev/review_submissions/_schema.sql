CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.review_submissions (
    customer_id STRING,
    product_id STRING,
    submitted_at STRING,
    rating INT
)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/review-submissions/';
