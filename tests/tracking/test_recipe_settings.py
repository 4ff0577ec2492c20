"""A recipe as parameters that a table of runs can be sorted by."""

from tapezoo.tracking.recipe_settings import recipe_settings

RECIPE = """
seed_everything: 0
model:
  class_path: tapezoo.models.LSTM
  init_args:
    hidden_size: 32
    objective: {class_path: tapezoo.training.Supervised, init_args: {tbptt_samples: 512, loss: null}}
data: {class_path: tapezoo.data.PairedAudio, init_args: {pairs: a.yaml, settings: {drive: [0.0, 1.0]}}}
trainer: {max_epochs: 8, callbacks: [{class_path: lightning.EarlyStopping}]}
run_dir: null
"""


def test_classes_stand_under_the_name_of_their_place_and_arguments_below():
    assert recipe_settings(RECIPE) == {
        "seed_everything": "0",
        "model": "LSTM",
        "model.hidden_size": "32",
        "model.objective": "Supervised",
        "model.objective.tbptt_samples": "512",
        "data": "PairedAudio",
        "data.pairs": "a.yaml",
        "data.settings.drive": "[0.0, 1.0]",
        "trainer.max_epochs": "8",
        "trainer.callbacks": '[{"class_path": "lightning.EarlyStopping"}]',
    }


def test_what_is_no_recipe_has_no_settings():
    assert recipe_settings("") == recipe_settings("just text") == {}
