AND run_id IN (
    SELECT run_id FROM steps
    WHERE started_at >= $start AND kind = 'model' AND list_contains($models::VARCHAR[], coalesce(model, model_requested))
)
