package cli

import (
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/pipeline"
)

// refresh is how often progress is drawn: often enough to look alive, seldom
// enough to cost nothing.
const refresh = 120 * time.Millisecond

// showsProgress reports whether somebody watches standard error and wants to see
// what moves.
func (s *shell) showsProgress() bool {
	return !s.asJSON && !s.noColor && isTerminal(s.errOut) && !config.NoColor(s.environ)
}

// showProgress draws how far a run is, until the returned function is called,
// and then leaves nothing behind.
func (s *shell) showProgress(meter *pipeline.Meter) (stop func()) {
	if !s.showsProgress() {
		return func() {}
	}
	return draw(mpb.New(mpb.WithOutput(s.errOut), mpb.WithWidth(60), mpb.WithRefreshRate(refresh)), meter)
}

// draw shows a line while rows are read, whose number nobody knows, and then a
// bar while they are decided.
func draw(p *mpb.Progress, meter *pipeline.Meter) (stop func()) {
	line := p.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.BarRemoveOnComplete(), mpb.BarWidth(2),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			at := meter.Progress()
			return stageText(at.Stage) + "  " + plural(at.Extracted, "row")
		})))
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		var bar *mpb.Bar
		ticker := time.NewTicker(refresh)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				line.Abort(true)
				if bar != nil {
					bar.Abort(true)
				}
				return
			case <-ticker.C:
			}
			at := meter.Progress()
			if at.Stage != pipeline.StageStore || at.Extracted == 0 {
				continue
			}
			if bar == nil {
				line.Abort(true)
				bar = decisionBar(p, at.Extracted)
			}
			bar.SetCurrent(at.Finished)
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wait.Wait()
		p.Wait()
	})
}

func decisionBar(p *mpb.Progress, total int64) *mpb.Bar {
	return p.New(total, mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound(""), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(stageText(pipeline.StageStore)+"  ")),
		mpb.AppendDecorators(decor.Any(func(st decor.Statistics) string {
			return " " + thousands(st.Current) + " of " + plural(st.Total, "row")
		})))
}
