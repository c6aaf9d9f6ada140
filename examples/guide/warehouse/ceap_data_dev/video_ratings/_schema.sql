CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.video_ratings (
    customer_id STRING,
    video_id STRING,
    rated_at STRING,
    stars INT
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://your-data-bucket/video-ratings/';
