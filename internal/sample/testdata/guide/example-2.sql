SELECT 
    customer_id,
    video_id as subject_id,
    'video' as subject_type,
    watch_completed_at as event_date,
    watch_percentage,
    marketplace,
    true as email_eligible,
    true as push_eligible,
    'video-ratings' as program_id
FROM video_watch_history
WHERE watch_date BETWEEN '{startDate}' AND '{endDate}'
  AND watch_percentage >= 80
  AND marketplace = 'US'
LIMIT 10000;
