CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.video_watch_history (
    customer_id STRING,
    video_id STRING,
    watch_date STRING,
    watch_completed_at STRING,
    watch_percentage DOUBLE,
    marketplace STRING
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/video-watch-history/'
TBLPROPERTIES ('skip.header.line.count'='1');
