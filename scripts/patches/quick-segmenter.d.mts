export const QuickSegmenter: typeof Intl.Segmenter;
