CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.video_watch_history (
    customer_id STRING,
    video_id STRING,
    watch_date STRING,
    watch_completed_at STRING,
    watch_percentage DOUBLE,
    device STRING,
    marketplace STRING
)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/video-watch-history/';
